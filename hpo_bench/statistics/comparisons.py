"""One optimiser against others, landscape by landscape."""

import gc
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from baycomp import SignedRankTest
from numpy.typing import NDArray
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from hpo_bench.statistics.intervals import LEAST_PAIRS, Interval, Intervals
from hpo_bench.statistics.rounding import told_apart

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
    """

    other: str
    difference: Interval
    better: int
    worse: int
    p: float

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `open`: both the interval and the adjusted test must agree."""
        if self.p < SIGNIFICANT and self.difference.low > 0:
            return "better"
        return "worse" if self.p < SIGNIFICANT and self.difference.high < 0 else "open"


def compare(
    reference: str, regret: Mapping[str, FloatArray], random: FloatArray, *, intervals: Intervals
) -> list[Comparison]:
    """A reference against all others, with p adjusted for their number.

    Args:
        reference: Identity of one of the optimisers.
        regret: Of each optimiser, shape (landscapes, seeds).
        random: Random's expectation, shape (landscapes,).
        intervals: Those of these landscapes.
    """
    own = regret[reference]
    others = (other for other in regret if other != reference)
    return holm([duel(other, own, regret[other], random, intervals=intervals) for other in others])


def duel(other: str, own: FloatArray, theirs: FloatArray, random: FloatArray, *, intervals: Intervals) -> Comparison:
    """A reference against one other, p as if there were no more.

    The interval is that of the paired difference. Wilcoxon's test (1945) sees one mean a pair, because landscapes of
    one pair are not independent.

    Args:
        other: Identity of the other.
        own: The reference's regrets, shape (landscapes, seeds).
        theirs: The other's.
        random: Random's expectation, shape (landscapes,).
        intervals: Those of these landscapes.
    """
    mean = (theirs - own).mean(axis=1)
    most = float(max(np.abs(own).max(initial=0.0), np.abs(theirs).max(initial=0.0)))
    by_pair = told_apart(_by_pair(mean, intervals.pairs), most)
    mean = told_apart(mean, most)
    return Comparison(
        other,
        intervals.difference(theirs, own, random),
        int((mean > 0).sum()),
        int((mean < 0).sum()),
        _wilcoxon(by_pair),
    )


def chances(
    other: str, own: FloatArray, theirs: FloatArray, *, rope: FloatArray, pairs: NDArray[np.str_]
) -> tuple[float, float, float]:
    """How likely a difference between a reference and one other is that anybody could see.

    The Bayesian signed-rank test (Benavoli et al., 2014 and 2017; package baycomp) of one mean a pair, in units of the
    noise. Differences that cancel out count as equivalent, too.

    Args:
        other: Identity of the other, which seeds the sampling.
        own: The reference's regrets, shape (landscapes, seeds).
        theirs: The other's.
        rope: Differences up to this much are practically none, shape (landscapes,), positive.
        pairs: The landscapes' pairs, shape (landscapes,).

    Returns:
        That the reference is better, that the two are equivalent, and that the other is better: each the posterior
        probability that this is the likeliest of the three for the mean difference on two pairs drawn at random.
    """
    means = _by_pair((theirs - own).mean(axis=1) / rope, pairs)
    worse, equal, better = SignedRankTest.probs(
        np.zeros_like(means), means, rope=1, nsamples=POSTERIOR_SAMPLES, random_state=zlib.crc32(other.encode())
    )
    return float(better), float(equal), float(worse)


def holm(found: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with p adjusted for how many there are (Holm, 1979, as Demsar, 2006, advises)."""
    p = np.array([one.p for one in found])
    known = np.isfinite(p)
    if known.sum() > 1:
        with _uncollected():
            p[known] = multipletests(p[known], method="holm")[1]
    return [replace(one, p=float(own)) for one, own in zip(found, p, strict=True)]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let a call for garbage find nothing: statsmodels makes one, which takes a quarter of a second beside PyTorch."""
    if gc.get_freeze_count():  # somebody else's, which must stay
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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
