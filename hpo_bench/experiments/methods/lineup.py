"""Who is compared: nine merge methods, the VLM as it is, and the expert in its place; and variants of methods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Family = Literal["unmerged", "classic", "data-aware", "tuning-free"]
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ComparedMethod:
    """A row of the comparison.

    Attributes:
        name: Short name, also of the file that keeps its measurement.
        label: Name as in text.
        family: The study's category.
        study: What the study's tables call it; empty if it is not there.
        how: Which variant of its method it is, in words; empty where there is one alone.
        method: Short name of the method that it is a variant of; its own name by default.
        options: What it gives the method, or the data that the method is calibrated on.
    """

    name: str
    label: str
    family: Family
    study: str = ""
    how: str = ""
    method: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", self.method or self.name)


_TEXTS, _PICTURES = {"expert_reads": "texts"}, {"expert_reads": "pictures"}
_BY_TEXTS, _BY_PICTURES = "the expert calibrated on texts", "the expert calibrated on pictures with questions"

BASE = ComparedMethod("vlm", "base VLM (1, 0)", "unmerged", "Base VLM")
SWAP = ComparedMethod("swap-in", "expert swapped in (0, 1)", "unmerged")
METHODS = (
    ComparedMethod("ta", "TA", "classic", "TA"),
    ComparedMethod("dare", "DARE", "classic", "DARE"),
    ComparedMethod("ties", "TIES", "classic", "TIES"),
    ComparedMethod("fisher", "Fisher", "data-aware", "Fisher", _BY_TEXTS, options=_TEXTS),
    ComparedMethod("regmean", "RegMean", "data-aware", "RegMean", _BY_TEXTS, options=_TEXTS),
    ComparedMethod("wudi", "WUDI", "tuning-free", "WUDI", "closed form, cut off", options={"solver": "cut-off"}),
    ComparedMethod("tsv", "TSV", "tuning-free", "TSV"),
    ComparedMethod("metagpt", "MetaGPT", "tuning-free", "MetaGPT"),
    ComparedMethod("nan", "NAN", "tuning-free", "NaN", "by norms of the weights", options={"norm": "weights"}),
)
"""In the study's order."""
VARIANTS = (
    ComparedMethod("fisher-pictures", "Fisher", "data-aware", how=_BY_PICTURES, method="fisher", options=_PICTURES),
    ComparedMethod("regmean-pictures", "RegMean", "data-aware", how=_BY_PICTURES, method="regmean", options=_PICTURES),
    ComparedMethod(
        "wudi-exact", "WUDI", "tuning-free", how="closed form, exact", method="wudi", options={"solver": "closed-form"}
    ),
    ComparedMethod("wudi-adam", "WUDI", "tuning-free", how="300 Adam steps", method="wudi", options={"solver": "adam"}),
    ComparedMethod(
        "nan-task-vectors",
        "NAN",
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
