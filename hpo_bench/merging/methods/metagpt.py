"""MetaGPT: Task Arithmetic with coefficients from the task vectors' squared norms."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.vectors import TaskVectors, linear_combination, squared_norm


@dataclass(frozen=True, slots=True)
class MetaGPT(MergeMethod):
    """Minimises the mean loss of all tasks where losses are linear around the base and task vectors orthogonal.

    Yuyan Zhou, Liang Song, Bingning Wang, Weipeng Chen: MetaGPT: Merging Large Language Models Using Model Exclusive
    Task Arithmetic, EMNLP 2024.
    """

    name: ClassVar[str] = "metagpt"
    label: ClassVar[str] = "MetaGPT"
    reference: ClassVar[str] = "Zhou et al., 2024"

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The base plus both task vectors, weighted by `coefficients`."""
        return linear_combination(vectors, *self.coefficients(vectors))

    def coefficients(self, vectors: TaskVectors) -> tuple[float, float]:
        """Coefficients of the VLM's and the expert's task vector: each one's share of the squared norms; they sum to 1.

        The norm is over all merged weights at once, not tensor by tensor.

        Raises:
            MergeError: If both task vectors are zero.
        """
        vlm, expert = squared_norm(vectors.vlm), squared_norm(vectors.expert)
        if vlm + expert == 0:
            raise MergeError("both task vectors are zero: the VLM's language model and the expert are the base itself")
        return vlm / (vlm + expert), expert / (vlm + expert)
