"""Thresholds at every density against sorting, on real nano weights and on weights full of ties."""

import numpy as np
import pytest
import torch

from hpo_bench.merging.engine.quantiles import Thresholds, kept
from hpo_bench.merging.engine.slabs import PARENTS, Slab, cut_into_slabs
from hpo_bench.merging.loaded import LoadedPair

DENSITIES = (1e-6, 0.001, 0.1, 1 / 3, 0.5, 0.777, 0.999, 1.0)


def changes(slabs: list[Slab], role: str, dtype: torch.dtype) -> list[torch.Tensor]:
    whole = [getattr(slab, role).to(dtype) - slab.base.to(dtype) for slab in slabs]
    return [part for slab, line in zip(slabs, whole, strict=True) for part in line.split(slab.sizes)]


def smallest_kept(magnitudes: np.ndarray, density: float) -> float:
    """Of ascending magnitudes the smallest of the largest, which must be kept."""
    return float(magnitudes[len(magnitudes) - kept(density, len(magnitudes))])


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16, torch.float16], ids=str)
def slabs(request: pytest.FixtureRequest, loaded: LoadedPair) -> list[Slab]:
    parts = {
        role: {name: tensor.to(request.param, copy=True) for name, tensor in getattr(loaded, role).items()}
        for role in ("base", "tuned", "expert")
    }
    # A tensor of which most entries did not move, and one that has few magnitudes.
    parts["tuned"]["model.layers.0.mlp.up_proj.weight"][:-5] = parts["base"]["model.layers.0.mlp.up_proj.weight"][:-5]
    parts["tuned"]["lm_head.weight"] = parts["base"]["lm_head.weight"].sign() * 2
    pair = LoadedPair(loaded.vlm, None, loaded.names, **parts)
    return cut_into_slabs(pair, torch.device("cpu"), step=1 << 16)


@pytest.mark.parametrize("dtype", [None, torch.float32])
@pytest.mark.parametrize("role", PARENTS)
def test_a_bound_is_just_below_what_must_be_kept(slabs: list[Slab], role: str, dtype: torch.dtype | None) -> None:
    thresholds = Thresholds(slabs, dtype=dtype)
    kind = dtype or slabs[0].base.dtype
    each = [np.sort(change.abs().float().numpy()) for change in changes(slabs, role, kind)]
    together = np.sort(np.concatenate(each))
    for density in DENSITIES:
        for per_tensor, groups in ((True, each), (False, [together] * len(each))):
            bounds = thresholds.at(role, density, per_tensor=per_tensor)
            for bound, magnitudes in zip(bounds, groups, strict=True):
                smallest = torch.tensor(0.0 if density >= 1 else smallest_kept(magnitudes, density), dtype=kind)
                below = (smallest.view(torch.int32 if kind.itemsize == 4 else torch.int16) - 1).view(kind)
                assert float(bound) == (float(below) if smallest > 0 else 0)
