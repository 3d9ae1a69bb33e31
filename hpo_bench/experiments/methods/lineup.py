"""Who is compared: nine merge methods, the VLM as it is, and the expert in its place; and variants of methods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from hpo_bench.merging.methods import registry

Family = Literal["unmerged", "classic", "data-aware", "tuning-free"]
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ComparedMethod:
    """A row of the comparison.

    Attributes:
        name: Short name, also of the file that keeps its measurement.
        family: The study's category.
        study: What the study's tables call it; empty if it is not there.
        how: Which variant of its method it is, in words; empty where there is one alone.
        method: Short name of the method that it is a variant of; its own name by default.
        options: What it gives the method, or the data that the method is calibrated on.
        called: Name as in text, where it is not the method's own.
    """

    name: str
    family: Family
    study: str = ""
    how: str = ""
    method: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    called: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", self.method or self.name)

    @property
    def label(self) -> str:
        """Name as in text."""
        return self.called or registry.label(self.method)


_TEXTS, _PICTURES = {"expert_reads": "texts"}, {"expert_reads": "pictures"}
_BY_TEXTS, _BY_PICTURES = "the expert calibrated on texts", "the expert calibrated on pictures with questions"

BASE = ComparedMethod("vlm", "unmerged", "Base VLM", called="base VLM (1, 0)")
SWAP = ComparedMethod("swap-in", "unmerged", called="expert swapped in (0, 1)")
METHODS = (
    ComparedMethod("ta", "classic", "TA", called="TA"),
    ComparedMethod("dare", "classic", "DARE"),
    ComparedMethod("ties", "classic", "TIES"),
    ComparedMethod("fisher", "data-aware", "Fisher", _BY_TEXTS, options=_TEXTS),
    ComparedMethod("regmean", "data-aware", "RegMean", _BY_TEXTS, options=_TEXTS),
    ComparedMethod("wudi", "tuning-free", "WUDI", "closed form, cut off", options={"solver": "cut-off"}),
    ComparedMethod("tsv", "tuning-free", "TSV"),
    ComparedMethod("metagpt", "tuning-free", "MetaGPT"),
    ComparedMethod("nan", "tuning-free", "NaN", "by norms of the weights", options={"norm": "weights"}),
)
"""In the study's order."""
VARIANTS = (
    ComparedMethod("fisher-pictures", "data-aware", how=_BY_PICTURES, method="fisher", options=_PICTURES),
    ComparedMethod("regmean-pictures", "data-aware", how=_BY_PICTURES, method="regmean", options=_PICTURES),
    ComparedMethod(
        "wudi-exact", "tuning-free", how="closed form, exact", method="wudi", options={"solver": "closed-form"}
    ),
    ComparedMethod("wudi-adam", "tuning-free", how="300 Adam steps", method="wudi", options={"solver": "adam"}),
    ComparedMethod(
        "nan-task-vectors",
        "tuning-free",
        how="by norms of the task vectors",
        method="nan",
        options={"norm": "task-vectors"},
    ),
)
"""Other ways to do what a method leaves open, or that its paper and its closed form differ in."""
EVERYBODY = (BASE, SWAP, *METHODS)
CLASSIC = tuple(one.name for one in METHODS if one.family == "classic")
OTHERS = tuple(one.name for one in METHODS if one.family != "classic")
