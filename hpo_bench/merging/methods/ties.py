"""TIES: trim, elect signs, merge what agrees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hpo_bench.merging.methods.base import COEFFICIENTS, DENSITY, Hyperparameter, MergeMethod, Parent, parent_at
from hpo_bench.merging.methods.recipe import Engine, Mode, Recipe
from hpo_bench.merging.methods.vectors import TaskVectors


@dataclass(frozen=True, slots=True)
class Ties(MergeMethod):
    """Trims each task vector to its largest entries, elects a sign for every entry, and merges what has it.

    Prateek Yadav et al.: TIES-Merging: Resolving Interference When Merging Models, 2023, arXiv 2306.01708.

    The paper trims each task vector as a whole, elects the sign of the unweighted sum, and averages the entries that
    have it: with equal coefficients this is the paper's formula with that lambda; unequal ones weigh each task vector's
    share of the average. mergekit trims tensor by tensor, elects the sign of the weighted sum, and adds what has it
    (averaging is its `normalize`, which would make the scale of the coefficients mean nothing). A sum of zero elects
    plus.

    All entries as large as the smallest that is to be kept are kept; mergekit keeps of them as many as make the share
    exact, the first in memory.

    Attributes:
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Coefficient of the expert's.
        density: Share of entries that is kept, in (0, 1].
        mode: "mergekit" or "paper".
    """

    name: ClassVar[str] = "ties"
    label: ClassVar[str] = "TIES"
    reference: ClassVar[str] = "Yadav et al., 2023"
    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = (*COEFFICIENTS, DENSITY)
    by_tensor: ClassVar[bool] = True
    # With mergekit's default `normalize`, scaling both coefficients changes nothing and the space loses a dimension.
    mergekit: ClassVar[Mapping[str, Any] | None] = {"mergekit_method": "ties", "normalize": False}
    mergekit_note: ClassVar[str] = (
        "Of entries that tie at the threshold mergekit keeps some and this merge all: they alone differ."
    )

    vl_weight: float
    exp_weight: float
    density: float
    mode: Mode = "mergekit"

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """Base plus what of both trimmed, weighted task vectors has the elected sign."""
        vlm, expert = self._trimmed(vectors.vlm), self._trimmed(vectors.expert)
        weighs = self.mode == "mergekit"
        merged = {}
        for name in vectors.base:
            weighted = torch.stack([self.vl_weight * vlm[name], self.exp_weight * expert[name]])
            voters = weighted if weighs else torch.stack([vlm[name], expert[name]])
            elected = torch.where(voters.sum(0) >= 0, 1.0, -1.0)
            agree = voters.sign() == elected
            change = (weighted * agree).sum(0)
            merged[name] = vectors.added(name, change if weighs else change / agree.sum(0).clamp(min=1))
        return merged

    def parent(self) -> Parent | None:
        """(0, 0) is the base; with nothing trimmed, (1, 0) is the VLM and (0, 1) the expert."""
        return parent_at(self.vl_weight, self.exp_weight, self.density)

    def recipe(self, engine: Engine) -> Recipe:
        """Thresholds of both task vectors, which the engine looks up, and the sign of each pair of entries."""
        per_tensor = engine.mode == "mergekit"
        vlm, expert = map(engine.numbers, engine.thresholds(self.density, per_tensor=per_tensor))
        weights = engine.rounded(self.vl_weight, self.exp_weight)
        return Recipe(
            ties if per_tensor else ties_as_published,
            lambda line: (*weights(line), vlm[line.tensor], expert[line.tensor]),
            apart=True,
        )

    def _trimmed(self, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.mode == "mergekit":
            return {name: _keep_largest(change, _kth_largest(change, self.density)) for name, change in task.items()}
        overall = _kth_largest(torch.cat([change.reshape(-1) for change in task.values()]), self.density)
        return {name: _keep_largest(change, overall) for name, change in task.items()}


def _kth_largest(change: Tensor, density: float) -> Tensor:
    if not change.numel():
        return change.new_zeros(())
    kept = max(1, int(density * change.numel()))
    return change.abs().reshape(-1).kthvalue(change.numel() - kept + 1).values


def _keep_largest(change: Tensor, threshold: Tensor) -> Tensor:
    return change * (change.abs() >= threshold)


def ties(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_weight: Tensor,
    exp_weight: Tensor,
    vl_bound: Tensor | float,
    exp_bound: Tensor | float,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """What of both trimmed, weighted task vectors has the sign of their sum.

    Two entries of one sign add up; of two that differ in sign the larger is elected, and stands alone. Either way it is
    the largest magnitude among both and their sum, with the sum's sign.

    Args:
        base: Of the base model.
        vlm: Of the VLM.
        expert: Of the expert.
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Of the expert's.
        vl_bound: What an entry's magnitude must exceed to be kept.
        exp_bound: Likewise of the expert's.
        into: A line that may be overwritten.
    """
    one = _trimmed(torch.sub(vlm, base, out=into), vl_bound)
    one *= vl_weight
    two = _trimmed(expert - base, exp_bound)
    two *= exp_weight
    total = one + two
    elected = torch.maximum(one.abs_(), two.abs_())
    elected = torch.maximum(elected, total.abs())
    elected.copysign_(total)
    return elected


def ties_as_published(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_weight: Tensor,
    exp_weight: Tensor,
    vl_bound: Tensor | float,
    exp_bound: Tensor | float,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """The mean of what of both trimmed task vectors has the elected sign; weights do not vote."""
    one = _trimmed(torch.sub(vlm, base, out=into), vl_bound)
    two = _trimmed(expert - base, exp_bound)
    positive = one + two >= 0
    one *= (one > 0) == positive
    two *= (two > 0) == positive
    agree = (one != 0).to(base.dtype) + (two != 0)
    one *= vl_weight
    two *= exp_weight
    one += two
    one /= agree.clamp_(min=1)
    return one


def _trimmed(change: Tensor, bound: Tensor | float) -> Tensor:
    if isinstance(bound, Tensor):
        change *= change.abs() > bound
        return change
    return torch.nn.functional.hardshrink(change, bound)
