"""Which merges are compared: with one expert weight for all tensors, and with one for each of two groups."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from hpo_bench.errors import UsageError
from hpo_bench.merging.architectures import kind_of, layer_of

VL_LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8)
EXP_LEVELS = (0.6, 0.8, 1.0, 1.2, 1.4)
"""The uniform grid: where the best uniform merges of the recorded fine grids lie, with a step on either side."""
VL_STEPS = (-0.2, -0.1, 0.0, 0.1, 0.2)
EXP_STEPS = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""From the best of the uniform grid to what is tried around it: steps of the finer uniform grid, and of either group's
expert weight."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Two groups of tensors that get expert weights of their own.

    Attributes:
        name: Of both groups, as they stand in tables.
        first: Whether a tensor is in the first group, by its language model name; all others are in the second.
    """

    name: str
    first: Callable[[str], bool]


def partitions(names: Sequence[str]) -> tuple[Partition, ...]:
    """Attention apart from the rest, early layers from late ones, and the vocabulary from what is between.

    Args:
        names: Language model names of all tensors that are merged.

    Raises:
        UsageError: If there are no layers to part.
    """
    layers = {int(layer_of(name)) for name in names if layer_of(name).isdigit()}
    if len(layers) < 2:
        raise UsageError("weights by group need a language model of two layers or more")
    middle = (min(layers) + max(layers) + 1) / 2

    def early(name: str) -> bool:
        layer = layer_of(name)
        return int(layer) < middle if layer.isdigit() else layer == "embeddings"

    return (
        Partition("attention × rest", lambda name: kind_of(name) == "attention"),
        Partition("early × late layers", early),
        Partition("vocabulary × layers", lambda name: kind_of(name) in ("embeddings", "head")),
    )


@dataclass(frozen=True, slots=True)
class GroupedSetting:
    """A merge of Task Arithmetic with one expert weight or two.

    Attributes:
        among: What it was tried for: `UNIFORM`, `FINER`, or a partition's name.
        vl_weight: Of the VLM's task vector, in all tensors.
        first: The expert's weight in the first group.
        second: In the second; the same where there are no groups.
    """

    among: str
    vl_weight: float
    first: float
    second: float


UNIFORM, FINER = "uniform", "finer uniform"


def uniform() -> Iterator[GroupedSetting]:
    """25 merges with one expert weight, from which the others start."""
    for vl, exp in product(VL_LEVELS, EXP_LEVELS):
        yield GroupedSetting(UNIFORM, vl, exp, exp)


def around(best: GroupedSetting, names: Sequence[str]) -> Iterator[GroupedSetting]:
    """As many merges again around the best of them: with one expert weight, and with two, for each partition.

    Args:
        best: The uniform merge with the highest score on validation examples.
        names: Language model names of all tensors that are merged.
    """
    for vl, exp in product(VL_STEPS, EXP_STEPS):
        weight = round(best.first + exp, 4)
        yield GroupedSetting(FINER, round(best.vl_weight + vl, 4), weight, weight)
    for partition in partitions(names):
        for first, second in product(EXP_STEPS, EXP_STEPS):
            yield GroupedSetting(
                partition.name, best.vl_weight, round(best.first + first, 4), round(best.second + second, 4)
            )
