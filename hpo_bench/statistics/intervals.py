"""Intervals over pairs, in closed form.

Landscapes of one pair share checkpoints and examples, so the pair is the unit: how far pairs differ is all that enters,
and it holds the luck of their seeds already. (A bootstrap that draws seeds within the pairs drawn counts that luck
twice.) `hpo_bench.experiments.coverage` simulates how often these intervals hold the truth; `docs/intervals.md` has it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from hpo_bench.statistics.ratios import Summary, over_random, ratio_of_means

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LEVEL = 0.95
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
"""The two ends of an interval, as quantiles."""
LEAST_PAIRS = 6
"""With fewer no test by order alone is significant: the least and the greatest of five miss the median too often."""
LEAST_UNITS = 3
"""With two pairs, or two seeds of one pair, there is one degree of freedom, and an end lies next to infinity."""
LEAST_FREEDOM = LEAST_UNITS - 1.0
"""Degrees of freedom are no fewer, however unlike pairs are."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95% interval; NaN where it is undefined."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """The same as plain values, null for what is undefined."""
        return {key: float(one) if np.isfinite(one) else None for key, one in asdict(self).items()}


UNDEFINED = Interval(np.nan, np.nan, np.nan)


def of_mean(values: ArrayLike) -> Interval:
    """The mean of independent figures, such as one a pair, with Student's interval; without ends for a single one."""
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 2:
        return Interval(float(known.sum()) if len(known) else np.nan, np.nan, np.nan)
    reach = student.ppf(TAILS[1], len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return Interval(float(known.mean()), float(known.mean() - reach), float(known.mean() + reach))


class Intervals:
    """95% intervals of figures over landscapes that come in pairs.

    *Means and their ratios*: Student's t on the logarithm, its error by the jackknife over pairs (Tukey, 1958; of the
    cluster-robust ones the one that holds best with few and unlike clusters: MacKinnon, Nielsen and Webb, 2023).
    Degrees of freedom are one less than the pairs that effectively count, (sum a)^2 / sum a^2 (Kish, 1965; Carter,
    Schnepel and Steigerwald, 2017), for numerator and denominator: where few pairs have all the regret, nothing more is
    known than from few pairs. *Differences* of two such figures: from their intervals and their correlation over pairs
    (Zou and Donner, 2008). *Medians*: Woodruff's (1952) interval, from the error of the share of landscapes under the
    median; undefined for fewer than six pairs.

    With one pair there is nothing to say about others: its seeds are the units, and the interval shows their luck
    alone. With two pairs, or one pair and two seeds, there is none, nor is there a relative one of a figure that is
    zero, or of those landscapes among many that are of one pair.

    Args:
        pairs: The pair of each landscape.
    """

    def __init__(self, pairs: Sequence[str]) -> None:
        self.pairs = np.asarray(pairs)

    def of(
        self, summary: Summary, values: FloatArray, random: FloatArray, *, kept: BoolArray | None = None
    ) -> Interval:
        """One figure for one optimiser.

        Args:
            summary: What to compute.
            values: Normalised regrets, or whatever else there is one of for each run and is not negative, shape
                (landscapes, seeds).
            random: Random's expectation on each landscape, shape (landscapes,).
            kept: Which landscapes count, shape (landscapes,); all by default.
        """
        kept = np.ones(len(values), dtype=bool) if kept is None else kept
        if not kept.any():
            return UNDEFINED
        value, low, high = self._curve(summary, values[kept][..., None], random[kept][:, None], self.pairs[kept])
        return Interval(float(value[0]), float(low[0]), float(high[0]))

    def curve(
        self, summary: Summary, values: FloatArray, random: FloatArray, members: NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray]:
        """Pointwise intervals of a figure after each evaluation.

        Args:
            summary: What to compute.
            values: Regrets, shape (members, seeds, evaluations).
            random: Random's expectations, shape (members, evaluations).
            members: Which landscapes these are.

        Returns:
            Lower and upper ends, each of shape (evaluations,); NaN where undefined.
        """
        return self._curve(summary, values, random, self.pairs[members])[1:]

    def _curve(
        self, summary: Summary, values: FloatArray, random: FloatArray, pairs: NDArray[np.str_]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """A figure and both ends, each of shape (evaluations,), of values of shape (landscapes, seeds, evaluations)."""
        mean = values.mean(axis=1)
        value = summary(mean.T, random.T, np.ones(mean.T.shape))
        units = len(np.unique(pairs))
        if units == 1 < len(np.unique(self.pairs)):
            # The luck of one pair's seeds, beside figures whose intervals are over pairs, would be taken for less luck.
            return value, np.full(value.shape, np.nan), np.full(value.shape, np.nan)
        if summary.totals is None and units > 1:
            return value, *_of_a_median(over_random(mean, random), pairs)
        return value, *_by_t(value, *_left_out(summary, values, random, pairs))

    def difference(self, first: FloatArray, second: FloatArray, random: FloatArray) -> Interval:
        """How much higher the first's mean regret is than the second's, over Random's.

        Args:
            first: An optimiser's regrets, shape (landscapes, seeds).
            second: Another's.
            random: Random's expectation on each landscape, shape (landscapes,).
        """
        if not len(random) or np.array_equal(first, second):
            return Interval(0.0, 0.0, 0.0) if len(random) else UNDEFINED
        if not random.any():  # any difference is infinitely many times nothing
            return UNDEFINED
        figures = [self.of(ratio_of_means, values, random) for values in (first, second)]
        # A figure that is zero has no interval, and nothing to add to that of the other.
        figures = [one if one.value else Interval(0.0, 0.0, 0.0) for one in figures]
        moved = [
            _left_out(ratio_of_means, values[..., None], random[:, None], self.pairs)[0][:, 0] - one.value
            for values, one in zip((first, second), figures, strict=True)
        ]
        size = np.sqrt((moved[0] ** 2).sum() * (moved[1] ** 2).sum())
        # Infinite where all of Random's regret is on one pair, without which there is no ratio.
        alike = (float(moved[0] @ moved[1] / size) if size else 0.0) if np.isfinite(size) else np.nan
        upper, lower = figures

        def reach(one: float, other: float) -> float:
            if not np.isfinite([one, other, alike]).all():
                return np.nan
            # By a power of two, which rounds nothing: of few and unlike pairs the square of an end may overflow.
            _, exponent = np.frexp(max(one, other))
            one, other = np.ldexp([one, other], -exponent).tolist()
            square = np.maximum(one**2 + other**2 - 2 * alike * one * other, 0.0)
            return float(np.ldexp(np.sqrt(square), exponent))

        value = upper.value - lower.value
        return Interval(
            value,
            value - reach(upper.value - upper.low, lower.high - lower.value),
            value + reach(upper.high - upper.value, lower.value - lower.low),
        )


def _left_out(
    summary: Summary, values: FloatArray, random: FloatArray, pairs: NDArray[np.str_]
) -> tuple[FloatArray, list[FloatArray]]:
    """The figure without each unit, and the totals of each, all of shape (units, evaluations)."""
    names, pair = np.unique(pairs, return_inverse=True)
    landscapes, seeds, evaluations = values.shape
    mean = values.mean(axis=1)
    if len(names) > 1:
        member = (pair == np.arange(len(names))[:, None]).astype(float)
        weight = np.broadcast_to(1 - member[:, None], (len(names), evaluations, landscapes))
        parts = summary.totals(mean, random) if summary.totals else ()
        return summary(mean.T, random.T, weight), [member @ part for part in parts]
    if seeds < LEAST_UNITS:
        return np.full((seeds, evaluations), np.nan), []
    others = (seeds * mean[:, None] - values) / (seeds - 1)
    parts = summary.totals(values, np.broadcast_to(random[:, None], values.shape)) if summary.totals else ()
    left_out = summary(others.transpose(1, 2, 0), random.T, np.ones((seeds, evaluations, landscapes)))
    return left_out, [part.sum(axis=0) for part in parts]


def _by_t(value: FloatArray, left_out: FloatArray, totals: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Student's interval on the logarithm, from the figure without each unit."""
    units = len(left_out)
    if units < LEAST_UNITS:
        return np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    effective = float(units) * np.prod([_effective(total) / units for total in totals], axis=0)
    freedom = np.maximum(effective - 1, LEAST_FREEDOM)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error, linear = (
            np.sqrt((units - 1) / units * (moved**2).sum(axis=0))
            for moved in (np.log(left_out / value), left_out / value - 1)
        )
        # Without the only unit that has regret there is none, and no logarithm.
        reach = np.exp(student.ppf(TAILS[1], freedom) * np.where(np.isfinite(error), error, linear))
        return value / reach, value * reach


def _effective(total: FloatArray) -> FloatArray:
    """How many units of equal size would tell as much, along the first axis."""
    squares = (total**2).sum(axis=0)
    return np.divide(total.sum(axis=0) ** 2, squares, out=np.full(squares.shape, float(len(total))), where=squares > 0)


def _of_a_median(ratio: FloatArray, pairs: NDArray[np.str_]) -> tuple[FloatArray, FloatArray]:
    """Woodruff's interval of the median over landscapes, by evaluation; ratios of shape (landscapes, evaluations)."""
    names, pair = np.unique(pairs, return_inverse=True)
    count, units = len(ratio), len(names)
    if units < LEAST_PAIRS:
        return np.full(ratio.shape[1], np.nan), np.full(ratio.shape[1], np.nan)
    middle = np.median(ratio, axis=0)
    below = (ratio < middle) + 0.5 * (ratio == middle) - 0.5
    by_pair = np.stack([below[pair == one].sum(axis=0) for one in range(units)])
    error = np.sqrt(units / (units - 1) * (by_pair**2).sum(axis=0)) / count
    reach = student.ppf(TAILS[1], units - 1) * error
    # From the least to the greatest at most, which hold the median of six pairs in 31 of 32 cases.
    places = np.clip(np.stack([0.5 - reach, 0.5 + reach]) * count - 0.5, 0, count - 1)
    ordered = np.sort(ratio, axis=0)
    low, high = ([np.interp(place, np.arange(count), ordered[:, t]) for t, place in enumerate(end)] for end in places)
    return np.array(low), np.array(high)
