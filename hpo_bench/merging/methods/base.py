"""What a merge method is; imports nothing heavy, since a setting's check needs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from hpo_bench.merging.methods.recipe import Engine, Recipe
    from hpo_bench.merging.methods.vectors import TaskVectors

Parent = Literal["base", "vlm", "expert"]
Statistics = Literal["fisher", "grams"]
"""Of both models on calibration examples: diagonal Fisher information, or Gram matrices of layers' inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """A number that a merge method leaves open.

    Attributes:
        name: As in settings, files and columns.
        low: Where tuning begins to search.
        high: Where it ends.
        levels: Values of the grid that `hpo-bench record` merges, ascending; what surrogates are fitted to.
        default: What it is where nothing is said; None if it must be said.
        above: What every value must exceed.
        at_most: What no value may exceed.
        neutral: The value that leaves it without effect, where there is one; what a starting point has that says none.
    """

    name: str
    low: float
    high: float
    levels: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    default: float | None = None
    above: float = -inf
    at_most: float = inf
    neutral: float | None = None

    def takes(self, value: float) -> bool:
        """Whether it may have that value."""
        return self.above < value <= self.at_most

    @property
    def allowed(self) -> str:
        """The values that it may have, in words."""
        if self.at_most == inf:
            return f"above {self.above:g}"
        return f"at most {self.at_most:g}" if self.above == -inf else f"in ({self.above:g}, {self.at_most:g}]"


# The study's grid has 5 x 5 coefficients and 4 densities; its values are lost, these are ours.
COEFFICIENTS = (
    Hyperparameter(name="vl_weight", low=0.0, high=1.4),
    Hyperparameter(name="exp_weight", low=0.0, high=1.4),
)
"""Of the VLM's task vector and of the expert's: (1, 0) is the VLM, (0, 1) the expert, (0, 0) the base."""
DENSITY = Hyperparameter(
    name="density", low=0.1, high=1.0, levels=(0.2, 0.4, 0.6, 0.8), above=0.0, at_most=1.0, neutral=1.0
)
"""Share of each task vector that is kept."""


class MergeMethod(ABC):
    """A merge method. Instances hold a point of its search space, and for data-aware methods the statistics.

    To make one, subclass, most simply as a frozen dataclass with the hyperparameters as its fields, and write `merge`.
    `hpo_bench.testing.check_merge_method` checks it.

    Attributes:
        name: Short name, as on the command line and in files.
        label: Name as in text.
        reference: Who published it, and when.
        hyperparameters: What is tuned; each is an argument of the class by its name. Empty where there is nothing.
        needs: The statistics on calibration examples without which it cannot merge; they are the class's arguments
            `vlm` and `expert`, tensors by language model name.
        by_tensor: Whether the merge of a tensor depends on that tensor alone. Then models larger than memory are
            merged one tensor after the other, and tuning keeps no task vectors.
        draws_masks: Whether it drops entries at random, so that a seed decides which; the seed is the class's argument
            `seed`, an integer.
        mergekit: How mergekit calls the same method, with options; None where it has none.
        mergekit_note: What differs there, in a sentence.
    """

    __slots__ = ()

    name: ClassVar[str]
    label: ClassVar[str]
    reference: ClassVar[str] = ""
    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = ()
    needs: ClassVar[Statistics | None] = None
    by_tensor: ClassVar[bool] = False
    draws_masks: ClassVar[bool] = False
    mergekit: ClassVar[Mapping[str, Any] | None] = None
    mergekit_note: ClassVar[str] = ""

    @abstractmethod
    def merge(self, vectors: TaskVectors) -> dict[str, Tensor]:
        """The merged language weights, in float32, by language model name; the task vectors stay as they are."""

    def parent(self) -> Parent | None:
        """The model that the formula gives back as it is, whose bytes are then copied; None if it promises none."""
        return None

    def recipe(self, _engine: Engine) -> Recipe | None:
        """How the resident engine merges in place at the speed of memory; None to have it take `merge`.

        Must give what `merge` gives, but for rounding.
        """
        return None


_PARENTS: Mapping[tuple[float, float], Parent] = MappingProxyType(
    {(0.0, 0.0): "base", (1.0, 0.0): "vlm", (0.0, 1.0): "expert"}
)


def parent_at(vl_weight: float, exp_weight: float, density: float = 1.0) -> Parent | None:
    """The model that a weighted sum of both task vectors gives back, if one; of sparse ones the base alone."""
    parent = _PARENTS.get((vl_weight, exp_weight))
    return parent if density >= 1 or parent == "base" else None
