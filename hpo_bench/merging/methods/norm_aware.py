"""NAN, norm-aware merging: Task Arithmetic with coefficients from inverse norms."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.vectors import TaskVectors, linear_combination, squared_norm

Norm = Literal["weights", "task-vectors"]


@dataclass(frozen=True, slots=True)
class NAN(MergeMethod):
    """Norm-aware merging: a model counts the more, the smaller its norm.

    Chongjie Si et al.: NAN: A Training-Free Solution to Coefficient Estimation in Model Merging, 2025,
    arXiv 2505.16148. There the norm stands for how much information a least-squares solution holds.

    Attributes:
        norm: Whose Frobenius norm, over all merged weights at once. "weights", as published: of the fine-tuned models'
            own weights. These differ by little among models of one base, and so do the coefficients then from one half.
            "task-vectors": of what fine-tuning changed, which tells the models apart.
    """

    name: ClassVar[str] = "nan"
    label: ClassVar[str] = "NAN"
    reference: ClassVar[str] = "Si et al., 2025"

    norm: Norm = "weights"

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The base plus both task vectors, weighted by `coefficients`."""
        return linear_combination(vectors, *self.coefficients(vectors))

    def coefficients(self, vectors: TaskVectors) -> tuple[float, float]:
        """Coefficients of the VLM's and the expert's task vector, proportional to inverse norms; they sum to 1.

        The paper multiplies coefficients that sum to 1 by half the number of models, which for two models is 1.

        Raises:
            MergeError: If a norm is zero.
        """
        tasks = (vectors.vlm, vectors.expert)
        if self.norm == "weights":
            tasks = ({name: vectors.added(name, change) for name, change in task.items()} for task in tasks)
        vlm, expert = (squared_norm(weights) ** 0.5 for weights in tasks)
        if vlm == 0 or expert == 0:
            raise MergeError(f"the norm of the {'expert' if vlm else 'VLM'}'s {self.norm} is zero and has no inverse")
        return expert / (vlm + expert), vlm / (vlm + expert)
