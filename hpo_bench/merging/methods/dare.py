"""DARE: random sparsification of both task vectors, rescaled."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hpo_bench.merging.engine import masks
from hpo_bench.merging.methods.base import TaskVectors, linear_combination
from hpo_bench.merging.setting import Mode

_NEGLIGIBLE = 1e-7  # mergekit rescales no norm below it


@dataclass(frozen=True, slots=True)
class Dare:
    """Drops entries of each task vector at random, rescales the rest, and adds them as Task Arithmetic does.

    Le Yu et al.: Language Models are Super Mario: Absorbing Abilities from Homologous Models as a Free Lunch, 2024,
    arXiv 2311.03099. With a drop rate p = 1 - density the paper divides what is kept by 1 - p, which keeps each entry's
    expectation; mergekit multiplies each tensor by the ratio of its L1 norms before and after, which keeps the norm.

    Masks are `counter`'s, of a seed, a tensor's name and an entry's place, drawn for each task vector by itself.

    Attributes:
        vl_weight: Coefficient of the VLM's task vector.
        exp_weight: Coefficient of the expert's.
        density: Share of entries that is kept, in (0, 1].
        seed: Of the masks.
        mode: "mergekit" or "paper": how what is kept is rescaled.
    """

    name: ClassVar[str] = "dare"
    label: ClassVar[str] = "DARE"

    vl_weight: float
    exp_weight: float
    density: float
    seed: int = 0
    mode: Mode = "mergekit"

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """Base plus both weighted, sparsified task vectors."""
        vlm, expert = {}, {}
        for name, base in vectors.base.items():
            keep_vlm, keep_expert = masks.masks(base.shape, seed=self.seed, name=name, density=self.density)
            vlm[name] = self._sparsified(vectors.vlm[name], keep_vlm.to(base.device))
            expert[name] = self._sparsified(vectors.expert[name], keep_expert.to(base.device))
        return linear_combination(TaskVectors(vectors.base, vlm, expert), self.vl_weight, self.exp_weight)

    def _sparsified(self, change: Tensor, keep: Tensor) -> Tensor:
        if self.mode == "paper":
            return change * keep / self.density
        before, after = change.abs().sum(), (change * keep).abs().sum()
        if before < _NEGLIGIBLE or after < _NEGLIGIBLE:
            return change * keep
        return change * keep * (before / after)
