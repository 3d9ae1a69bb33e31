"""What kernels take besides elements of the three models: numbers that follow from all weights an engine keeps."""

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from hpo_bench.merging.engine.quantiles import KeptNorms, Thresholds
from hpo_bench.merging.engine.slabs import PARENTS, Slab
from hpo_bench.merging.methods import masks
from hpo_bench.merging.methods.recipe import Engine, Line, Mode, Operands


class KernelOperands(Engine):
    """What merge methods ask of the resident engine, of which `Engine` says more.

    Args:
        slabs: The weights.
        mode: Whose arithmetic it is.
        mask_seed: Seed of random masks.
        device: Where kernels compute.
        compiled: Whether they are compiled.

    Attributes:
        dtype: What they compute in; None for the weights' own type.
    """

    def __init__(
        self, slabs: Sequence[Slab], *, mode: Mode, mask_seed: int, device: torch.device, compiled: bool
    ) -> None:
        self.mode, self.mask_seed = mode, mask_seed
        self.tensors = [name for slab in slabs for name in slab.names]
        self.dtype = torch.float32 if mode == "paper" else None
        self._slabs, self._device, self._compiled = slabs, device, compiled

    def rounded(self, *values: float) -> Operands:
        """Numbers as mergekit rounds them to the type of a line."""

        @cache
        def of(dtype: torch.dtype) -> tuple[Tensor, ...]:
            return torch.tensor(values, dtype=dtype, device=self._device).unbind()

        return lambda line: of(self.dtype or line.sources[0].dtype)

    def numbers(self, one_a_tensor: Tensor) -> Sequence[Any]:
        """Python's numbers, or tensors where kernels are compiled."""
        return one_a_tensor.to(self._device).unbind() if self._compiled else one_a_tensor.tolist()

    def place(self, line: Line) -> Any:
        """Where in its tensor a line starts."""
        start = masks.wrapped(line.start)
        return torch.full((), start, dtype=torch.int32, device=self._device) if self._compiled else start

    def thresholds(self, density: float, *, per_tensor: bool) -> tuple[Tensor, Tensor]:
        """What magnitudes must exceed to be among that share."""
        vlm, expert = (self._thresholds.at(role, density, per_tensor=per_tensor) for role in PARENTS)
        return vlm, expert

    def rescaling(self, density: float) -> tuple[Tensor, Tensor]:
        """What keeps norms under the masks of a density."""
        vlm, expert = (self._norms.rescaling(role, density) for role in PARENTS)
        return vlm, expert

    @cached_property
    def _thresholds(self) -> Thresholds:
        return Thresholds(self._slabs, dtype=self.dtype)

    @cached_property
    def _norms(self) -> KeptNorms:
        return KeptNorms(self._slabs, dtype=self.dtype, seed=self.mask_seed)
