"""What arms did, as figures, as text and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass

import numpy as np

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import bracketed
from hpo_bench.statistics.intervals import Interval, of_mean

FLOOR = 1e-3
"""Added to ratios before their logarithm, as a solved function has none; a thousandth of Random's regret."""


@dataclass(frozen=True, slots=True)
class AblationRow:
    """An arm on one suite at one noise.

    Attributes:
        suite: The suite.
        noise: Noise of an evaluation, in spreads.
        arm: Its name.
        changes: What is otherwise than in the default.
        functions: How many functions there were.
        mean: Mean ratio of regret to Random's; below 1 is better than Random.
        median: Median ratio.
        difference: Mean ratio minus the default's.
        factor: Geometric mean of the ratios over the default's.
        better: On how many functions its ratio is below the default's.
        milliseconds: Processor time a suggestion, of all functions of that dimension in one group.
    """

    suite: str
    noise: float
    arm: str
    changes: str
    functions: int
    mean: float
    median: float
    difference: Interval
    factor: Interval
    better: int
    milliseconds: float

    @property
    def verdict(self) -> str:
        """`better` or `worse` where an interval leaves out no difference, and the other does not say the contrary."""
        better = self.difference.high < 0.0 or self.factor.high < 1.0
        worse = self.difference.low > 0.0 or self.factor.low > 1.0
        return "better" if better and not worse else "worse" if worse and not better else ""

    def plain(self) -> dict[str, object]:
        """For JSON."""
        intervals = {"difference": astuple(self.difference), "factor": astuple(self.factor)}
        return {**asdict(self), **intervals, "verdict": self.verdict}


def compare(ratios: Sequence[float], reference: Sequence[float]) -> tuple[Interval, Interval]:
    """How an arm differs from a reference, with paired intervals over functions.

    Args:
        ratios: Of the arm, one a function.
        reference: Of the reference, on the same functions.

    Returns:
        Difference of the means with its interval; geometric mean of the quotients with its interval.
    """
    own, other = np.array(ratios), np.array(reference)
    # There are many functions, and what they differ in is in both arms.
    gap, log = of_mean(own - other), of_mean(np.log((own + FLOOR) / (other + FLOOR)))
    return gap, Interval(math.exp(log.value), math.exp(log.low), math.exp(log.high))


def table(rows: Sequence[AblationRow]) -> TextTable:
    """The rows as a table."""
    found, before = [], None
    for row in rows:
        reference = row.difference == Interval(0.0, 0.0, 0.0)
        cells = (
            f"{row.noise:g}",
            row.arm,
            f"{row.mean:.3f}",
            f"{row.median:.3f}",
            "" if reference else bracketed(row.difference, "+.3f"),
            "" if reference else bracketed(row.factor, ".2f"),
            "" if reference else f"{row.better} of {row.functions}",
            f"{row.milliseconds:.1f}",
            row.verdict,
        )
        found.append(Row(row.suite, cells, apart=before != (row.suite, row.noise)))
        before = row.suite, row.noise
    heads = ("suite", "noise", "arm", "mean", "median", "difference", "factor", "better on", "ms", "")
    return TextTable(heads, tuple(found), words=3)
