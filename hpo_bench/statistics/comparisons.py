"""One optimiser against others, landscape by landscape."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from baycomp import SignedRankTest
from numpy.typing import NDArray
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from hpo_bench.statistics.intervals import LEAST_PAIRS, Interval, Intervals

FloatArray = NDArray[np.float64]

SIGNIFICANT = 0.05
POSTERIOR_SAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """The reference optimiser against another; positive differences are in favour of the reference.

    Attributes:
        other: Identity of the other.
        difference: Its mean regret minus the reference's, over Random's mean regret.
        better: On how many landscapes the reference has the lower mean regret.
        worse: On how many the higher.
        p: Wilcoxon's signed-rank test (two-sided) over pairs, by the mean over their landscapes; NaN for fewer than 6.
        probabilities: That the reference is better by more than the noise of a comparison, that the two are equivalent,
            and that the other is better by more than it: each the posterior probability that this is the likeliest of
            the three for the mean difference on two pairs drawn at random (Bayesian signed-rank test). Differences that
            cancel out count as equivalent, too.
    """

    other: str
    difference: Interval
    better: int
    worse: int
    p: float
    probabilities: tuple[float, float, float]

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `open`: both the interval and the adjusted test must agree."""
        if self.p < SIGNIFICANT and self.difference.low > 0:
            return "better"
        return "worse" if self.p < SIGNIFICANT and self.difference.high < 0 else "open"


def compare(
    reference: str,
    regret: Mapping[str, FloatArray],
    random: FloatArray,
    *,
    rope: FloatArray,
    intervals: Intervals,
) -> list[Comparison]:
    """A reference against all others, with p adjusted for their number.

    Args:
        reference: Identity of one of the optimisers.
        regret: Of each optimiser, shape (landscapes, seeds).
        random: Random's expectation, shape (landscapes,).
        rope: Differences up to this much are practically none, shape (landscapes,), positive.
        intervals: Those of these landscapes.
    """
    own = regret[reference]
    return holm(
        [
            duel(other, own, theirs, random, rope=rope, intervals=intervals)
            for other, theirs in regret.items()
            if other != reference
        ]
    )


def duel(
    other: str, own: FloatArray, theirs: FloatArray, random: FloatArray, *, rope: FloatArray, intervals: Intervals
) -> Comparison:
    """A reference against one other, p as if there were no more.

    The interval is that of the paired difference. Wilcoxon's test (1945) sees one mean a pair, because landscapes of
    one pair are not independent. The Bayesian signed-rank test (Benavoli et al., 2014 and 2017; package baycomp) sees
    the same in units of the noise, and asks instead how likely a difference is that anybody could see.

    Args:
        other: Identity of the other.
        own: The reference's regrets, shape (landscapes, seeds).
        theirs: The other's.
        random: Random's expectation, shape (landscapes,).
        rope: Differences up to this much are practically none, shape (landscapes,), positive.
        intervals: Those of these landscapes.
    """
    mean = (theirs - own).mean(axis=1)
    return Comparison(
        other,
        intervals.difference(theirs, own, random),
        int((mean > 0).sum()),
        int((mean < 0).sum()),
        _wilcoxon(_by_pair(mean, intervals.pairs)),
        _probabilities(_by_pair(mean / rope, intervals.pairs), seed=zlib.crc32(other.encode())),
    )


def holm(found: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with p adjusted for how many there are (Holm, 1979, as Demsar, 2006, advises)."""
    p = np.array([one.p for one in found])
    known = np.isfinite(p)
    if known.sum() > 1:
        p[known] = multipletests(p[known], method="holm")[1]
    return [replace(one, p=float(own)) for one, own in zip(found, p, strict=True)]


def _by_pair(differences: FloatArray, pairs: NDArray[np.str_]) -> FloatArray:
    """Means of landscapes' differences, shape (pairs,)."""
    _, pair = np.unique(pairs, return_inverse=True)
    return np.bincount(pair, weights=differences) / np.bincount(pair)


def _wilcoxon(differences: FloatArray) -> float:
    if len(differences) < LEAST_PAIRS:
        return np.nan
    if not differences.any():
        return 1.0
    # Pratt (1959): ties of the two speak for their being equal, and are not thrown away.
    return float(wilcoxon(differences, zero_method="pratt")[1])  # pyright: ignore[reportArgumentType]


def _probabilities(differences: FloatArray, *, seed: int) -> tuple[float, float, float]:
    """Of better, equivalent and worse; differences in units of the region of practical equivalence."""
    worse, equal, better = SignedRankTest.probs(
        np.zeros_like(differences), differences, rope=1, nsamples=POSTERIOR_SAMPLES, random_state=seed
    )
    return float(better), float(equal), float(worse)
