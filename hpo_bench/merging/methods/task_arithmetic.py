"""Task Arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hpo_bench.merging.methods.base import COEFFICIENTS, Hyperparameter, MergeMethod, Parent, parent_at
from hpo_bench.merging.methods.recipe import Engine, Recipe
from hpo_bench.merging.methods.vectors import TaskVectors, linear_combination


@dataclass(frozen=True, slots=True)
class TaskArithmetic(MergeMethod):
    """The base plus both weighted task vectors.

    Gabriel Ilharco et al.: Editing Models with Task Arithmetic, 2023, arXiv 2212.04089. The paper and mergekit do the
    same.

    Attributes:
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Coefficient of the expert's.
    """

    name: ClassVar[str] = "ta"
    label: ClassVar[str] = "Task Arithmetic"
    reference: ClassVar[str] = "Ilharco et al., 2023"
    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = COEFFICIENTS
    by_tensor: ClassVar[bool] = True
    mergekit: ClassVar[Mapping[str, Any] | None] = {"mergekit_method": "task_arithmetic", "normalize": False}

    vl_weight: float
    exp_weight: float

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """Base plus `vl_weight` and `exp_weight` times the task vectors."""
        return linear_combination(vectors, self.vl_weight, self.exp_weight)

    def parent(self) -> Parent | None:
        """(0, 0) is the base, (1, 0) the VLM and (0, 1) the expert."""
        return parent_at(self.vl_weight, self.exp_weight)

    def recipe(self, engine: Engine) -> Recipe:
        """Both differences, weighted."""
        return Recipe(task_arithmetic, engine.rounded(self.vl_weight, self.exp_weight))


def task_arithmetic(
    base: Tensor, vlm: Tensor, expert: Tensor, vl_weight: Tensor, exp_weight: Tensor, *, into: Tensor | None = None
) -> Tensor:
    """Both weighted task vectors together."""
    change = torch.sub(vlm, base, out=into)
    change *= vl_weight
    other = expert - base
    other *= exp_weight
    change += other
    return change
