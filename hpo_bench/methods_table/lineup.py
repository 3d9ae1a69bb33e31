"""Who is compared: nine merge methods, the VLM as it is, and the expert in its place."""

from dataclasses import dataclass
from typing import Any, Literal

from hpo_bench.merging.methods.nan import Norm
from hpo_bench.merging.methods.wudi import Solver

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


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen about methods without changing what they are; the defaults are the comparison's.

    Attributes:
        samples: Calibration samples for each model, at most; the study's number.
        expert_reads: What the expert is calibrated on: texts, as in the study, or pictures with questions of its skill,
            which it reads in the VLM's place.
        wudi: How WUDI is solved.
        nan: Whose norms NAN takes.
    """

    samples: int = 500
    expert_reads: Literal["texts", "pictures"] = "texts"
    wudi: Solver = "closed-form"
    nan: Norm = "weights"

    def of(self, name: str) -> dict[str, Any]:
        """Those that one method's measurement depends on."""
        if name in ("fisher", "regmean"):
            return {"samples": self.samples, "expert_reads": self.expert_reads}
        return {"wudi": {"solver": self.wudi}, "nan": {"norm": self.nan}}.get(name, {})
