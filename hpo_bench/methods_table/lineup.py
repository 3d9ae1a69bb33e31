"""Who is compared: nine merge methods, the VLM as it is, and the expert in its place."""

from dataclasses import dataclass
from typing import Literal

Family = Literal["unmerged", "classic", "data-aware", "tuning-free"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A row of the comparison.

    Attributes:
        name: Short name, also of the file that keeps its measurement.
        label: Name as in text.
        family: The study's category.
        study: What the study's tables call it; empty if it is not there.
    """

    name: str
    label: str
    family: Family
    study: str = ""


BASE = Contender("vlm", "base VLM (1, 0)", "unmerged", "Base VLM")
SWAP = Contender("swap-in", "expert swapped in (0, 1)", "unmerged")
METHODS = (
    Contender("ta", "TA", "classic", "TA"),
    Contender("dare", "DARE", "classic", "DARE"),
    Contender("ties", "TIES", "classic", "TIES"),
    Contender("fisher", "Fisher", "data-aware", "Fisher"),
    Contender("regmean", "RegMean", "data-aware", "RegMean"),
    Contender("wudi", "WUDI", "tuning-free", "WUDI"),
    Contender("tsv", "TSV", "tuning-free", "TSV"),
    Contender("metagpt", "MetaGPT", "tuning-free", "MetaGPT"),
    Contender("nan", "NAN", "tuning-free", "NaN"),
)
"""In the study's order."""
EVERYBODY = (BASE, SWAP, *METHODS)
CLASSIC = tuple(one.name for one in METHODS if one.family == "classic")
OTHERS = tuple(one.name for one in METHODS if one.family != "classic")
