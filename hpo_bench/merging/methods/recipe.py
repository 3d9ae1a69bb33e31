"""What a merge method gives the resident engine to merge in place with, and what it can ask of the engine for that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

Mode = Literal["mergekit", "paper"]
"""Whose arithmetic a merge follows: mergekit's, or what a method's paper says where they differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """What a kernel handles at once: elements of one tensor, or all of a slab of small ones.

    Attributes:
        tensor: Index of its tensor, or of the first of them, among all.
        start: Where in its tensor it starts.
        sources: Its elements of the base, the VLM and the expert, (n,) each.
        target: Where its merge goes, (n,).
    """

    tensor: int
    start: int
    sources: tuple[Tensor, Tensor, Tensor]
    target: Tensor


Kernel = Callable[..., Tensor]
"""What a merge changes in the base, on one line of elements, written once for every device.

Called as `kernel(base, vlm, expert, *operands, into=line)`. The CPU runs it as it stands, line by line, so that what
lies between two operations stays in its cache; a GPU runs it through `torch.compile`, fused. Results are mergekit's,
rounding by rounding in its mode, though not always by its operations: masks are avoided, since on a CPU they cost
several times what arithmetic does. In the paper's mode the engine gives float32.

Base, vlm and expert are (n,), of one type; operands are numbers for the line, tensors where kernels are compiled.
`into` is a line that may be overwritten, of the same type: where a merge is to go, which by then is in the cache, as
memory that was just allocated is not.
"""

Operands = Callable[[Line], tuple[Any, ...]]
"""What a kernel takes besides a line's elements of the three models."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to merge in place.

    Attributes:
        kernel: The arithmetic.
        operands: What it takes on a line.
        apart: Whether that differs between tensors.
    """

    kernel: Kernel
    operands: Operands
    apart: bool = False


class Engine(Protocol):
    """What the resident engine knows of the weights that it keeps.

    Attributes:
        mode: Whose arithmetic it is to be.
        mask_seed: Seed of random masks.
        tensors: Language model names of the merged tensors; `Line.tensor` counts them.
    """

    mode: Mode
    mask_seed: int
    tensors: Sequence[str]

    def rounded(self, *values: float) -> Operands:
        """Numbers as mergekit rounds them to the type of a line; in bfloat16, 0.8 and 0.801 are one number."""
        ...

    def numbers(self, one_a_tensor: Tensor) -> Sequence[Any]:
        """As Python's numbers, or as tensors where kernels are compiled, which would be anew for every other number."""
        ...

    def place(self, line: Line) -> Any:
        """Where in its tensor a line starts, as a signed 32-bit number."""
        ...

    def thresholds(self, density: float, *, per_tensor: bool) -> tuple[Tensor, Tensor]:
        """What magnitudes of the VLM's and the expert's task vectors must exceed to be among that share, (tensors,)."""
        ...

    def rescaling(self, density: float) -> tuple[Tensor, Tensor]:
        """What keeps the norms of both task vectors under the seed's masks of a density, (tensors,) each."""
        ...
