"""RegMean: the linear layers whose outputs are nearest to both models' on what each of them reads."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hpo_bench.errors import MergeError
from hpo_bench.merging.methods.base import MergeMethod, Statistics
from hpo_bench.merging.methods.vectors import TaskVectors, Weights, merge_linear


@dataclass(frozen=True, slots=True, eq=False)
class RegMean(MergeMethod):
    """Minimises, in each linear layer, the squared differences from both models' outputs on their own inputs.

    Xisen Jin, Xiang Ren, Daniel Preotiuc-Pietro, Pengxiang Cheng: Dataless Knowledge Fusion by Merging Weights of
    Language Models, ICLR 2023. With Gram matrices G_i of the inputs, the merged weights are (sum W_i G_i)
    (sum G_i)^-1, solved here in double precision after scaling G to a unit diagonal. Everything but linear layers is
    averaged, and so are the columns of inputs that never fired.

    Attributes:
        vlm: Gram matrix of each layer's inputs in the VLM, a mean over tokens, of shape (inputs, inputs), by the name
            of the layer's weight.
        expert: The expert's, likewise.
        alpha: Factor on the off-diagonal of Gram matrices; the paper's is 0.9. Below 1 it bounds the condition number.
    """

    name: ClassVar[str] = "regmean"
    label: ClassVar[str] = "RegMean"
    reference: ClassVar[str] = "Jin et al., 2023"
    needs: ClassVar[Statistics | None] = "grams"
    by_tensor: ClassVar[bool] = True

    vlm: Weights
    expert: Weights
    alpha: float = 0.9

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The base plus each layer's regression of both task vectors, and averages elsewhere.

        Raises:
            MergeError: If a layer's Gram matrix is missing, of another shape, or too ill-conditioned to be solved.
        """
        return merge_linear(vectors, self._layer)

    def _layer(self, name: str, vlm: Tensor, expert: Tensor) -> Tensor:
        grams = [self._gram(role, name, vlm.shape[1]) for role in ("vlm", "expert")]
        # The same regression on task vectors, since the base's weights are in both: sum (W0 + tau_i) G_i / sum G_i.
        right = vlm.double() @ grams[0] + expert.double() @ grams[1]
        total = grams[0] + grams[1]
        fired = total.diagonal() > 0
        scale = total.diagonal()[fired].rsqrt()
        solved = _solve(total[fired][:, fired] * scale * scale[:, None], right[:, fired] * scale, name) * scale
        merged = (vlm + expert).double() / 2
        merged[:, fired] = solved
        return merged.to(vlm.dtype)

    def _gram(self, role: str, name: str, inputs: int) -> Tensor:
        grams: Weights = getattr(self, role)
        if name not in grams or grams[name].shape != (inputs, inputs):
            raise MergeError(f"no Gram matrix of shape ({inputs}, {inputs}) for the inputs of {name} in the {role}")
        gram = grams[name].double()
        return self.alpha * gram + (1 - self.alpha) * torch.diag(gram.diagonal())


def _solve(gram: Tensor, right: Tensor, name: str) -> Tensor:
    """`right @ inverse(gram)` for a Gram matrix with unit diagonal that was accumulated in single precision.

    Raises:
        MergeError: If rounding alone could change the solution by more than a per cent.
    """
    root, failed = torch.linalg.cholesky_ex(gram)
    # The Gram matrix of s inputs has its largest eigenvalue in [1, s]: the inverse's norm tells the condition.
    condition = float("inf")
    if not failed:
        condition = float(torch.linalg.matrix_norm(gram, 1) * torch.linalg.matrix_norm(torch.cholesky_inverse(root), 1))
    if not condition < 1e-2 / torch.finfo(torch.float32).eps:
        raise MergeError(
            f"{name}: the Gram matrix of its inputs has condition number {condition:.1e}; calibrate on more samples "
            "than the layer has inputs, or take a smaller alpha"
        )
    return torch.cholesky_solve(right.T, root).T
