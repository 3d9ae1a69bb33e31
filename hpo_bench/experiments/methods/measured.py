"""What was measured of one method on one pair, and the files that keep it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hpo_bench.errors import ResultsError
from hpo_bench.files import read_record


@dataclass(frozen=True, slots=True)
class GridCost:
    """What a grid search cost.

    Attributes:
        settings: How many settings were merged and scored.
        merge_seconds: Wall time of merging all of them, as recorded.
        eval_seconds: Likewise of scoring all of them, on validation examples.
    """

    settings: int
    merge_seconds: float
    eval_seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One method on one pair.

    Attributes:
        name: Of the contender.
        provenance: What it is a measurement of: weights, versions, options.
        scores: Test score of each example, in [0, 1], higher is better, by example id.
        categories: Category of each example, by example id.
        eval_seconds: Wall time of scoring them.
        seconds: Fewest processor seconds of a merge until it stands in the live VLM, by what merged: "here" for this
            package, "mergekit" for mergekit in the same process.
        statistics_seconds: Processor seconds of the statistics that a data-aware method needs first.
        parameters: Hyperparameters or coefficients that were used.
        grid: What tuning cost; none for what is not tuned.
        note: Anything a reader should know.
    """

    name: str
    provenance: Mapping[str, Any]
    scores: Mapping[str, float]
    categories: Mapping[str, str]
    eval_seconds: float
    seconds: Mapping[str, float] = field(default_factory=dict)
    statistics_seconds: float = 0.0
    parameters: Mapping[str, float] = field(default_factory=dict)
    grid: GridCost | None = None
    note: str = ""

    @classmethod
    def stored(cls, path: Path, provenance: Mapping[str, Any]) -> Self | None:
        """What a file holds, unless it is not there, is of something else, or cannot be read."""
        try:
            found = read_record(path, cls, wrong=ResultsError, cure="it is measured again")
        except ResultsError:
            return None
        return found if found.provenance == provenance else None


@dataclass(frozen=True, slots=True)
class PairResult:
    """Everybody on one pair.

    Attributes:
        pair: Its name.
        domain: What its expert is good at.
        benchmark: What was asked.
        nano: Whether it is a nano pair, and not of full-size models.
        measured: By name of the contender, all on the same examples.

    Raises:
        ResultsError: If contenders were scored on different examples.
    """

    pair: str
    domain: str
    benchmark: str
    nano: bool
    measured: Mapping[str, Measured]

    def __post_init__(self) -> None:
        for name, one in self.measured.items():
            if one.categories != self.categories:
                raise ResultsError(f"{self.pair}: {name} was scored on other examples than {next(iter(self.measured))}")

    @property
    def categories(self) -> Mapping[str, str]:
        """Category of each test example, by id."""
        return next(iter(self.measured.values())).categories
