"""DARE: random sparsification of both task vectors, rescaled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hpo_bench.merging.methods import masks
from hpo_bench.merging.methods.base import COEFFICIENTS, DENSITY, Hyperparameter, MergeMethod, Parent, parent_at
from hpo_bench.merging.methods.recipe import Engine, Line, Mode, Recipe
from hpo_bench.merging.methods.task_arithmetic import TaskArithmetic
from hpo_bench.merging.methods.vectors import TaskVectors, linear_combination

_NEGLIGIBLE = 1e-7  # mergekit rescales no norm below it


@dataclass(frozen=True, slots=True)
class Dare(MergeMethod):
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
    reference: ClassVar[str] = "Yu et al., 2024"
    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = (*COEFFICIENTS, DENSITY)
    by_tensor: ClassVar[bool] = True
    draws_masks: ClassVar[bool] = True
    # `dare_linear`: random sparsification of each task vector, then Task Arithmetic.
    mergekit: ClassVar[Mapping[str, Any] | None] = {
        "mergekit_method": "dare_linear",
        "normalize": False,
        "rescale": True,
        "rescale_norm": "l1",
    }
    mergekit_note: ClassVar[str] = (
        "mergekit draws DARE's masks from another generator: equal in distribution, not in bits."
    )

    vl_weight: float
    exp_weight: float
    density: float
    seed: int = 0
    mode: Mode = "mergekit"

    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """Base plus both weighted, sparsified task vectors."""
        vlm, expert = {}, {}
        for name, change in vectors.vlm.items():
            keep_vlm, keep_expert = masks.masks(change.shape, seed=self.seed, name=name, density=self.density)
            vlm[name] = self._sparsified(change, keep_vlm.to(change.device))
            expert[name] = self._sparsified(vectors.expert[name], keep_expert.to(change.device))
        return linear_combination(TaskVectors(vectors.base, vlm, expert), self.vl_weight, self.exp_weight)

    def parent(self) -> Parent | None:
        """(0, 0) is the base; with nothing dropped, (1, 0) is the VLM and (0, 1) the expert."""
        return parent_at(self.vl_weight, self.exp_weight, self.density)

    def recipe(self, engine: Engine) -> Recipe:
        """Masks from a counter as the elements pass by; Task Arithmetic where all of them keep everything."""
        if masks.level(self.density) == masks.LEVELS:
            return TaskArithmetic(self.vl_weight, self.exp_weight).recipe(engine)
        if engine.mode == "paper":
            factors = [torch.full((len(engine.tensors),), 1 / self.density)] * 2
        else:
            factors = engine.rescaling(self.density)
        vlm, expert = engine.numbers(self.vl_weight * factors[0]), engine.numbers(self.exp_weight * factors[1])
        keys = [masks.keys(engine.mask_seed, name) for name in engine.tensors]
        first, second = map(engine.numbers, torch.tensor(keys, dtype=torch.int32).unbind(1))
        (level,) = engine.numbers(torch.tensor([masks.level(self.density)], dtype=torch.int32))

        def operands(line: Line) -> tuple[Any, ...]:
            of = line.tensor
            return vlm[of], expert[of], engine.place(line), first[of], second[of], level

        return Recipe(dare, operands, apart=True)

    def _sparsified(self, change: Tensor, keep: Tensor) -> Tensor:
        if self.mode == "paper":
            return change * keep / self.density
        before, after = change.abs().sum(), (change * keep).abs().sum()
        if before < _NEGLIGIBLE or after < _NEGLIGIBLE:
            return change * keep
        return change * keep * (before / after)


def dare(
    base: Tensor,
    vlm: Tensor,
    expert: Tensor,
    vl_scale: Tensor | float,
    exp_scale: Tensor | float,
    start: Tensor | int,
    first: Tensor | int,
    second: Tensor | int,
    level: Tensor | int,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """Both task vectors together, masked by a counter and scaled.

    Args:
        base: Of the base model.
        vlm: Of the VLM.
        expert: Of the expert.
        vl_scale: Weight times rescaling of the VLM's task vector, float32.
        exp_scale: Likewise of the expert's.
        start: Place of the first element in its tensor, int32.
        first: Key of the tensor's random words.
        second: Second key.
        level: The density in levels of `counter`, int32.
        into: A line that may be overwritten.
    """
    position = torch.arange(base.numel(), dtype=torch.int32, device=base.device)
    position += start
    kept_vlm, kept_expert = masks.bits(masks.words(position, first, second), level)
    change = _masked(torch.sub(vlm, base, out=into), kept_vlm)
    change *= vl_scale
    other = _masked(expert - base, kept_expert)
    other *= exp_scale
    change += other
    return change.to(base.dtype)


def _masked(change: Tensor, bits: Tensor) -> Tensor:
    """In float32, with all bits of a dropped entry zero."""
    return (change.float().view(torch.int32) & bits).view(torch.float32)
