"""TIES: trim, elect signs, merge what agrees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hpo_bench.merging.methods.base import TaskVectors
from hpo_bench.merging.setting import Mode


@dataclass(frozen=True, slots=True)
class Ties:
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

    def _trimmed(self, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.mode == "mergekit":
            return {name: _keep_largest(change, _kth_largest(change, self.density)) for name, change in task.items()}
        overall = _kth_largest(torch.cat([change.reshape(-1) for change in task.values()]), self.density)
        return {name: _keep_largest(change, overall) for name, change in task.items()}


def _kth_largest(change: Tensor, density: float) -> Tensor:
    kept = max(1, int(density * change.numel()))
    return change.abs().reshape(-1).kthvalue(change.numel() - kept + 1).values


def _keep_largest(change: Tensor, threshold: Tensor) -> Tensor:
    return change * (change.abs() >= threshold)
