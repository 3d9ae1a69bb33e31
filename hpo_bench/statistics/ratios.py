"""Ratios of regret to Random's, summarised over landscapes; all lower-is-better, 1 is uniform random search."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

REGRET_FLOOR = 1e-3
"""Mean regrets below a thousandth of a landscape's range count as that much in geometric means.

A geometric mean is zero as soon as one regret is, and otherwise ruled by differences (1e-7 or 1e-4?) that no evaluation
could show: with 1,000 examples one answer is worth this much. Medians and ratios of means need no floor and have none.
"""


def over_random(regret: FloatArray, random: FloatArray) -> FloatArray:
    """Regrets over Random's, of the shape that both broadcast to.

    On a few settings Random may always end at the best. Whoever does the same is no better than random, 1, and whoever
    does not infinitely worse.
    """
    regret, random = np.broadcast_arrays(regret, random)
    return np.divide(regret, random, out=np.where(regret > 0, np.inf, 1.0), where=random > 0)[()]


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure over landscapes, such as the mean regret over Random's.

    Attributes:
        compute: Takes regrets, Random's expectations and weights, landscapes along the last axis, and gives the figure.
        totals: What each landscape adds to the totals that the figure is a quotient of, from regrets and Random's
            expectations of one shape; None if it is no quotient of totals.
    """

    compute: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    totals: Callable[[FloatArray, FloatArray], tuple[FloatArray, ...]] | None = None

    def __call__(self, regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
        """The figure, of the shape of the weights without their last axis."""
        return self.compute(regret, random, weight)


def _median(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted median over landscapes (last axis) of regret / Random's regret."""
    ratio = np.broadcast_to(over_random(regret, random), weight.shape)
    order = np.argsort(ratio, axis=-1)
    ratio = np.take_along_axis(ratio, order, axis=-1)
    mass = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    half = mass[..., -1:] / 2
    # With an even count half the mass falls between two landscapes, and the median is their mean.
    below = np.argmax(mass >= half, axis=-1, keepdims=True)
    above = np.argmax(mass > half, axis=-1, keepdims=True)
    return (np.take_along_axis(ratio, below, axis=-1) + np.take_along_axis(ratio, above, axis=-1))[..., 0] / 2


def _geometric_mean(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted geometric mean over landscapes (last axis) of regret / Random's regret, both floored."""
    ratio = np.log(np.maximum(regret, REGRET_FLOOR)) - np.log(np.maximum(random, REGRET_FLOOR))
    return np.exp((weight * ratio).sum(axis=-1) / weight.sum(axis=-1))


def _ratio_of_means(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted mean regret over landscapes (last axis), over Random's."""
    return over_random((weight * regret).sum(axis=-1), (weight * random).sum(axis=-1))


def _mean_regret(regret: FloatArray, random: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted mean regret over landscapes (last axis), not compared with anything."""
    return (weight * regret).sum(axis=-1) / weight.sum(axis=-1)


median = Summary(_median)
geometric_mean = Summary(_geometric_mean, lambda _, random: (np.ones_like(random),))
ratio_of_means = Summary(_ratio_of_means, lambda regret, random: (regret, random))
mean_regret = Summary(_mean_regret, lambda regret, random: (regret, np.ones_like(random)))
RATIOS: Mapping[str, Summary] = {
    "median_ror": median,
    "geometric_mean_ror": geometric_mean,
    "ratio_of_means": ratio_of_means,
}
