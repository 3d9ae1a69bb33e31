"""How much memory and disk there is, and how much a merge needs."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from hpo_bench.display.words import gib
from hpo_bench.errors import MergeError
from hpo_bench.merging.engine.fingerprint import BLOCK
from hpo_bench.merging.engine.masks import LEVELS
from hpo_bench.merging.setting import Mode

_SPARE = 1.05
"""Headroom for what is read and converted on the way."""
_LEADING = 1 << 11
"""Upper halves that magnitudes of one tensor have, about: sixteen octaves of 128."""
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def available_memory(device: torch.device | str | None = None) -> int:
    """Free bytes on a device: of the machine or, where it is less, of the container."""
    if device is not None and torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(torch.device(device))[0]
    free = psutil.virtual_memory().available
    for limit, used in _LIMITS:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such controller, or the limit is "max"
            continue
    return max(free, 0)


def weight_bytes(vlm_elements: int, merged_elements: int, dtype: torch.dtype) -> int:
    """What a loaded pair holds: the VLM, and base, the VLM's own and the expert's weights of what is merged."""
    return (vlm_elements + 3 * merged_elements) * dtype.itemsize


def resident_bytes(vlm_elements: int, sizes: Sequence[int], dtype: torch.dtype, *, mode: Mode = "mergekit") -> int:
    """What live merging keeps once every method has merged: a loaded pair, and what makes a re-merge one pass.

    The latter lies in the CPU's memory wherever the models do. Most of it is TIES' where arithmetic is in float32.

    Args:
        vlm_elements: Weights of the whole VLM.
        sizes: Weights of each tensor that is merged.
        dtype: Of the weights.
        mode: Of the engine; the paper's arithmetic is in float32 whatever the weights are.
    """
    bundles = 4 * sum(size for size in sizes if size < BLOCK) * dtype.itemsize
    levels = 2 * sum(4 * (LEVELS + 1) if size >= LEVELS else 12 * size for size in sizes) if mode == "mergekit" else 0
    weights = weight_bytes(vlm_elements, sum(sizes), dtype)
    return weights + bundles + levels + threshold_bytes(sizes, torch.float32 if mode == "paper" else dtype)


def threshold_bytes(sizes: Sequence[int], dtype: torch.dtype) -> int:
    """What TIES keeps of both task vectors for thresholds at any density: counts, and half of each float32 magnitude.

    Args:
        sizes: Weights of each tensor that is merged.
        dtype: Of the arithmetic.
    """
    counts = sum(10 * min(size, _LEADING) for size in sizes)
    return 2 * (counts + (2 * sum(sizes) if dtype.itemsize > 2 else 0))


def check_memory(needed: int, *, device: torch.device | str | None, what: str, instead: str) -> None:
    """Refuse before anything is loaded.

    Args:
        needed: Bytes.
        device: Where.
        what: What needs them.
        instead: What the user can do.

    Raises:
        MergeError: If they are not free.
    """
    free = available_memory(device)
    if needed * _SPARE > free:
        raise MergeError(f"{what} needs {gib(needed)} of memory, and {gib(free)} are free; {instead}")


def check_disk(needed: int, folder: Path, what: str) -> None:
    """Refuse before anything is written.

    Raises:
        MergeError: If the file system that the folder lies on, or will lie on, has not that many bytes free.
    """
    free = free_disk(folder)
    if needed * _SPARE > free:
        raise MergeError(f"{what} needs {gib(needed)} of disk, and {gib(free)} are free at {folder.absolute().parent}")


def free_disk(folder: Path) -> int:
    """Free bytes of the file system that a folder lies on, or will lie on."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(existing).free
