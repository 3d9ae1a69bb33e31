"""Weights in memory that a serving engine's process maps as well."""

import math
import mmap
import os
import weakref
from collections.abc import Mapping

import torch
from torch import Tensor

from hpo_bench.errors import UsageError

_ALIGNED = 64


class SharedWeights:
    """Tensors in anonymous memory: of no folder, and gone with the last process that holds it, however that ended.

    Args:
        layout: Dtype and shape of each, by name.

    Attributes:
        descriptor: Of the memory, for a process that is started with it.

    Raises:
        UsageError: If the system has no such memory.
    """

    def __init__(self, layout: Mapping[str, tuple[torch.dtype, tuple[int, ...]]]) -> None:
        if not hasattr(os, "memfd_create"):
            raise UsageError("weights are handed to a serving engine through memory as Linux alone has it")
        self._places: dict[str, tuple[torch.dtype, tuple[int, ...], int]] = {}
        end = 0
        for name, (dtype, shape) in layout.items():
            self._places[name] = (dtype, shape, end)
            end += -(-math.prod(shape) * dtype.itemsize // _ALIGNED) * _ALIGNED
        self.descriptor = os.memfd_create("hpo-bench-weights")
        weakref.finalize(self, os.close, self.descriptor)  # what maps it still has it
        os.ftruncate(self.descriptor, max(end, 1))
        self._map = mmap.mmap(self.descriptor, max(end, 1))

    def write(self, name: str, weights: Tensor) -> None:
        """Put weights in, rounded to the dtype that is kept."""
        dtype, shape, place = self._places[name]
        torch.frombuffer(self._map, dtype=dtype, count=math.prod(shape), offset=place).view(shape).copy_(weights)

    def manifest(self, names: list[str] | None = None) -> list[tuple[str, str, tuple[int, ...], int]]:
        """Name, dtype, shape and place of some tensors, by default of all."""
        some = self._places if names is None else names
        places = ((name, self._places[name]) for name in some)
        return [(name, str(dtype).removeprefix("torch."), shape, at) for name, (dtype, shape, at) in places]
