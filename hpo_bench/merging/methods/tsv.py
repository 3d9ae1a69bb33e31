"""TSV-Merge: each task's leading singular vectors, made orthogonal to the other's."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hpo_bench.merging.methods.base import MergeMethod
from hpo_bench.merging.methods.vectors import TaskVectors, merge_linear

_TASKS = 2


@dataclass(frozen=True, slots=True)
class TsvMerge(MergeMethod):
    """Keeps an equal share of each task vector's rank in each linear layer and decorrelates the singular vectors.

    Antonio Andrea Gargiulo et al.: Task Singular Vectors: Reducing Task Interference in Model Merging, CVPR 2025
    (arXiv 2412.00081, 2024). Both tasks' leading left singular vectors stand side by side in U, the right ones in V,
    and both are replaced by the nearest matrices with orthonormal columns, their polar factors. Everything but linear
    layers is averaged.

    Two deviations, which only matter where the published arithmetic would add noise: singular vectors of singular value
    zero are left out, since they are arbitrary and would still push the other task's aside; and a direction that both
    tasks share stays shared instead of being completed by an arbitrary one.

    Attributes:
        scale: Factor on the merged task vector; the paper's is 1.
    """

    name: ClassVar[str] = "tsv"
    label: ClassVar[str] = "TSV"
    reference: ClassVar[str] = "Gargiulo et al., 2025"
    by_tensor: ClassVar[bool] = True

    scale: float = 1.0

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The base plus the merged task vector of each linear layer, and averages elsewhere."""
        return merge_linear(vectors, self._layer)

    def _layer(self, _name: str, *tasks: Tensor) -> Tensor:
        left, values, right = zip(*(_leading(task) for task in tasks), strict=True)
        if not sum(len(each) for each in values):
            return torch.zeros_like(tasks[0])
        merged = polar_factor(torch.cat(left, 1)) * torch.cat(values) @ polar_factor(torch.cat(right, 1)).T
        return self.scale * merged


def _leading(task: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The task's share of singular vectors and values: (outputs, k), (k,) and (inputs, k)."""
    left, values, right = torch.linalg.svd(task, full_matrices=False)
    noise = values[0] * max(task.shape) * torch.finfo(values.dtype).eps
    rank = min(len(values) // _TASKS, int((values > noise).sum()))
    return left[:, :rank], values[:rank], right[:rank].T


def polar_factor(matrix: Tensor) -> Tensor:
    """The nearest matrix with orthonormal columns, M (M^T M)^(-1/2), from an eigendecomposition of the Gram matrix.

    It equals P Q^T of the singular value decomposition M = P D Q^T, at the cost of the columns' number cubed. Where
    columns are dependent, it is the polar factor on their span and zero off it.

    Args:
        matrix: Shape (n, k) with k at most about n; taken in double precision, since a Gram matrix squares conditions.

    Returns:
        Of the same shape and type.
    """
    exact = matrix.double()
    values, directions = torch.linalg.eigh(exact.T @ exact)
    # The columns come in single precision, so that dependent ones may look independent to its square.
    known = values > values[-1] * (len(values) * torch.finfo(matrix.dtype).eps) ** 2
    directions = directions[:, known]
    return (exact @ (directions / values[known].sqrt()) @ directions.T).to(matrix.dtype)
