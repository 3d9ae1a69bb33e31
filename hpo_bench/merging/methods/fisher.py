"""Fisher merging: each parameter averaged, weighted by how much each model's answers depend on it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.methods.base import MergeMethod, Statistics
from hpo_bench.merging.methods.vectors import TaskVectors, Weights, check_same, squared_norm


@dataclass(frozen=True, slots=True, eq=False)
class Fisher(MergeMethod):
    """The mode of the product of both models' posteriors, each a Gaussian with the diagonal Fisher as its precision.

    Michael Matena, Colin Raffel: Merging Models with Fisher-Weighted Averaging, NeurIPS 2022. As in its code, each
    model's Fisher is normalised first, so that the one with the larger gradients does not win everywhere, and a
    parameter on which no answer depends is averaged. The Fisher is the empirical one, at the right answers.

    Attributes:
        vlm: The VLM's diagonal Fisher: mean squared gradients of the log-likelihood of single answers, by language
            model name.
        expert: The expert's, likewise.
        floor: Least weight, as a share of a model's root mean square Fisher.
    """

    name: ClassVar[str] = "fisher"
    label: ClassVar[str] = "Fisher"
    reference: ClassVar[str] = "Matena and Raffel, 2022"
    needs: ClassVar[Statistics | None] = "fisher"

    vlm: Weights
    expert: Weights
    floor: float = 1e-6

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The base plus the Fisher-weighted mean of both task vectors.

        Raises:
            MergeError: If the statistics are of other models, not finite, or all zero.
        """
        for role, fisher in (("VLM", self.vlm), ("expert", self.expert)):
            check_same(vectors.vlm, fisher, f"the {role}'s Fisher information")
        size = sum(tensor.numel() for tensor in vectors.vlm.values())
        vlm, expert = ((squared_norm(fisher) / size) ** 0.5 for fisher in (self.vlm, self.expert))
        if not (0 < vlm < float("inf") and 0 < expert < float("inf")):
            raise MergeError("Fisher information is zero or not finite: the calibration answers move no weight")
        merged = {}
        for name in vectors.base:
            one, two = self.vlm[name] / vlm + self.floor, self.expert[name] / expert + self.floor
            merged[name] = vectors.added(name, torch.lerp(vectors.vlm[name], vectors.expert[name], two / (one + two)))
        return merged
