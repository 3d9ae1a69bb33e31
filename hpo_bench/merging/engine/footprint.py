"""How much memory live merging takes."""

from collections.abc import Sequence

import torch

from hpo_bench.merging.engine.fingerprint import BLOCK
from hpo_bench.merging.memory import weight_bytes
from hpo_bench.merging.methods.masks import LEVELS

_LEADING = 1 << 11
"""Upper halves that magnitudes of one tensor have, about: sixteen octaves of 128."""


def resident_bytes(vlm_elements: int, sizes: Sequence[int], dtype: torch.dtype) -> int:
    """What live merging keeps once every method has merged: a loaded pair, and what makes a re-merge one pass.

    The latter lies in the CPU's memory wherever the models do. Most of it is TIES' where arithmetic is in float32.

    Args:
        vlm_elements: Weights of the whole VLM.
        sizes: Weights of each tensor that is merged.
        dtype: Of the weights.
    """
    bundles = 4 * sum(size for size in sizes if size < BLOCK) * dtype.itemsize
    levels = 2 * sum(4 * (LEVELS + 1) if size >= LEVELS else 12 * size for size in sizes)
    return weight_bytes(vlm_elements, sum(sizes), dtype) + bundles + levels + threshold_bytes(sizes, dtype)


def threshold_bytes(sizes: Sequence[int], dtype: torch.dtype) -> int:
    """What TIES keeps of both task vectors for thresholds at any density: counts, and half of each float32 magnitude.

    Args:
        sizes: Weights of each tensor that is merged.
        dtype: Of the arithmetic.
    """
    counts = sum(10 * min(size, _LEADING) for size in sizes)
    return 2 * (counts + (2 * sum(sizes) if dtype.itemsize > 2 else 0))
