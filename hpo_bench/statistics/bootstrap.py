"""Intervals by a bootstrap over pairs and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.statistics.ratios import Summary

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LEVEL = 0.95
REPLICATES = 2000
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
"""The two ends of an interval, as quantiles."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95% interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(np.nan, np.nan, np.nan)


class Bootstrap:
    """Percentile intervals from one set of resamples, so that whatever is compared is resampled alike.

    Pairs are drawn with replacement and keep all their landscapes; seeds are drawn with replacement within each
    landscape (Davison and Hinkley, Bootstrap Methods, 1997, section 3.8). With one pair the interval shows seeds alone.

    Args:
        pairs: The pair of each landscape.
        seeds: Runs on each landscape.
        replicates: Bootstrap samples.
        seed: Of the resampling.
    """

    def __init__(self, pairs: Sequence[str], seeds: int, *, replicates: int = REPLICATES, seed: int = 0) -> None:
        self.pairs = np.asarray(pairs)
        self.replicates = replicates
        self._seed = seed
        rng = np.random.default_rng([seed, 0])
        counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=(len(self.pairs), replicates))
        self._counts = counts.astype(np.float32)
        self._weights: dict[bytes, FloatArray] = {}

    def means(self, values: FloatArray) -> FloatArray:
        """Resampled means over seeds.

        Args:
            values: Of each run, shape (landscapes, seeds).

        Returns:
            Shape (replicates, landscapes).
        """
        # Landscape by landscape, in double precision: the counts of all at once would be large copies.
        drawn = [counts.astype(float) @ own for counts, own in zip(self._counts, values, strict=True)]
        return np.stack(drawn, axis=1) / values.shape[1] if drawn else np.empty((self.replicates, 0))

    def weights(self, kept: BoolArray) -> FloatArray:
        """How often each of the kept landscapes is in each sample, shape (replicates, kept)."""
        key = kept.tobytes()
        if key not in self._weights:
            _, cluster = np.unique(self.pairs[kept], return_inverse=True)
            clusters = int(cluster.max()) + 1
            rng = np.random.default_rng([self._seed, 1])
            drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=self.replicates)
            self._weights[key] = drawn[:, cluster].astype(float)
        return self._weights[key]

    def interval(
        self,
        summary: Summary,
        values: FloatArray,
        random: FloatArray,
        *,
        kept: BoolArray | None = None,
        means: FloatArray | None = None,
    ) -> Interval:
        """One figure for one optimiser.

        Args:
            summary: What to compute.
            values: Normalised regrets (or whatever else there is one of for each run), shape (landscapes, seeds).
            random: Random's expectation on each landscape, shape (landscapes,).
            kept: Which landscapes count, shape (landscapes,); all by default.
            means: What `means` made of the values, where it is known already.
        """
        kept = np.ones(len(values), dtype=bool) if kept is None else kept
        if not kept.any():
            return UNDEFINED
        means = self.means(values) if means is None else means
        value = float(summary(values[kept].mean(axis=1), random[kept], np.ones(int(kept.sum()))))
        low, high = np.quantile(summary(means[:, kept], random[kept], self.weights(kept)), TAILS)
        return Interval(value, float(low), float(high))

    def curve(
        self, values: FloatArray, members: NDArray[np.int64], *, over: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Pointwise 95% interval of a mean curve over some landscapes, or of a ratio of two.

        Args:
            values: Shape (members, seeds, evaluations).
            members: Which landscapes these are.
            over: What the mean is divided by the mean of, shape (members, evaluations); nothing by default.

        Returns:
            Lower and upper ends, each of shape (evaluations,).
        """
        kept = np.zeros(len(self.pairs), dtype=bool)
        kept[members] = True
        weight = self.weights(kept)
        total = np.zeros((self.replicates, values.shape[2]))
        for place, landscape in enumerate(members):
            total += weight[:, place, None] * (self._counts[landscape].astype(float) @ values[place])
        divisor = weight.sum(axis=1)[:, None] if over is None else weight @ over
        means = total / (values.shape[1] * divisor)
        low, high = np.quantile(means, TAILS, axis=0)
        return low, high
