"""Task Arithmetic."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hpo_bench.merging.methods.base import TaskVectors, linear_combination


@dataclass(frozen=True, slots=True)
class TaskArithmetic:
    """The base plus both weighted task vectors.

    Gabriel Ilharco et al.: Editing Models with Task Arithmetic, 2023, arXiv 2212.04089. The paper and mergekit do the
    same.

    Attributes:
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Coefficient of the expert's.
    """

    name: ClassVar[str] = "ta"
    label: ClassVar[str] = "Task Arithmetic"

    vl_weight: float
    exp_weight: float

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """Base plus `vl_weight` and `exp_weight` times the task vectors."""
        return linear_combination(vectors, self.vl_weight, self.exp_weight)
