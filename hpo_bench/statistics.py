"""Regret-over-random (RoR) summarised over landscapes, with intervals, and what pure luck would give.

The landscape is the unit of inference. Landscapes of one pair share checkpoints and examples, so the bootstrap draws
whole pairs, and seeds within each landscape. Everything is lower-is-better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.regret import draw_random_regret

FloatArray = NDArray[np.float64]

REGRET_FLOOR = 1e-3
"""Mean regrets below a thousandth of a landscape's range count as that much in geometric means.

A geometric mean is zero as soon as one regret is, and otherwise ruled by differences (1e-7 or 1e-4?) that no evaluation
could show: with 1,000 examples one answer is worth this much. Medians and ratios of means need no floor and have none.
"""
LEVEL = 0.95
REPLICATES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95% interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


def median(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted median over landscapes (last axis) of regret / Random's regret."""
    ratio = np.broadcast_to(regret / random, weight.shape)
    order = np.argsort(ratio, axis=-1)
    ratio = np.take_along_axis(ratio, order, axis=-1)
    mass = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    half = mass[..., -1:] / 2
    # With an even count half the mass falls between two landscapes, and the median is their mean.
    below = np.argmax(mass >= half, axis=-1, keepdims=True)
    above = np.argmax(mass > half, axis=-1, keepdims=True)
    return (np.take_along_axis(ratio, below, axis=-1) + np.take_along_axis(ratio, above, axis=-1))[..., 0] / 2


def geometric_mean(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted geometric mean over landscapes (last axis) of regret / Random's regret, both floored."""
    ratio = np.log(np.maximum(regret, REGRET_FLOOR)) - np.log(np.maximum(random, REGRET_FLOOR))
    return np.exp((weight * ratio).sum(axis=-1) / weight.sum(axis=-1))


def ratio_of_means(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted mean regret over landscapes (last axis), over Random's."""
    return (weight * regret).sum(axis=-1) / (weight * random).sum(axis=-1)


def mean_regret(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted mean regret over landscapes (last axis), not compared with anything."""
    return (weight * regret).sum(axis=-1) / weight.sum(axis=-1)


Summary = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
RATIOS: Mapping[str, Summary] = {
    "median_ror": median,
    "geometric_mean_ror": geometric_mean,
    "ratio_of_means": ratio_of_means,
}


def summarise(
    summary: Summary,
    *,
    regret: FloatArray,
    random: FloatArray,
    pairs: Sequence[str],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Interval:
    """One figure for one optimiser, with a cluster-bootstrap percentile interval.

    Pairs are drawn with replacement and keep all their landscapes; seeds are drawn with replacement within each
    landscape (Davison and Hinkley, Bootstrap Methods, 1997, section 3.8). With one pair the interval shows seeds alone.

    Args:
        summary: What to compute.
        regret: Normalised regrets, shape (landscapes, seeds).
        random: Random's expected regret on each landscape, shape (landscapes,).
        pairs: The pair of each landscape.
        rng: Source of the resampling.
        replicates: Bootstrap samples.
    """
    landscapes, seeds = regret.shape
    if not landscapes:
        return Interval(np.nan, np.nan, np.nan)
    value = float(summary(regret.mean(axis=1), random, np.ones(landscapes)))
    weight = _pair_weights(pairs, replicates, rng)
    drawn = rng.integers(seeds, size=(replicates, landscapes, seeds))
    resampled = np.take_along_axis(regret[None], drawn, axis=2).mean(axis=2)
    low, high = np.quantile(summary(resampled, random, weight), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def null_band(
    summary: Summary,
    *,
    samples: Sequence[FloatArray],
    random: FloatArray,
    budgets: Sequence[int],
    seeds: int,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> tuple[float, float]:
    """Where the figure lies in 95 of 100 benchmarks if the optimiser is Random itself.

    Args:
        summary: What is computed.
        samples: Each landscape's regrets at uniform points, ascending.
        random: Random's expected regret on each landscape, shape (landscapes,).
        budgets: Evaluations on each landscape.
        seeds: Runs on each landscape.
        rng: Source of the simulated searches.
        replicates: Simulated benchmarks.
    """
    if not len(samples):
        return np.nan, np.nan
    regret = np.stack(
        [
            draw_random_regret(sample, budget, size=(replicates, seeds), rng=rng).mean(axis=1)
            for sample, budget in zip(samples, budgets, strict=True)
        ],
        axis=1,
    )
    low, high = np.quantile(summary(regret, random, np.ones_like(regret)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def mean_curve_band(
    regret: FloatArray, *, pairs: Sequence[str], rng: np.random.Generator, replicates: int = REPLICATES
) -> tuple[FloatArray, FloatArray]:
    """Pointwise 95% interval of the mean regret over landscapes, by the bootstrap of `summarise`.

    Args:
        regret: Normalised regrets, shape (landscapes, seeds, evaluations).
        pairs: The pair of each landscape.
        rng: Source of the resampling.
        replicates: Bootstrap samples.

    Returns:
        Lower and upper ends, each of shape (evaluations,).
    """
    landscapes, seeds, evaluations = regret.shape
    weight = _pair_weights(pairs, replicates, rng)
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=(replicates, landscapes)) * weight[..., None]
    drawn = drawn.reshape(replicates, -1) / drawn.sum(axis=(1, 2))[:, None]
    means = drawn @ regret.reshape(landscapes * seeds, evaluations)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _pair_weights(pairs: Sequence[str], replicates: int, rng: np.random.Generator) -> FloatArray:
    """How often each landscape is in each bootstrap sample, shape (replicates, landscapes)."""
    _, cluster = np.unique(np.asarray(pairs), return_inverse=True)
    clusters = int(cluster.max()) + 1
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=replicates)[:, cluster].astype(float)
