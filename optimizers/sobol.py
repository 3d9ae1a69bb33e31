"""The scrambled Sobol' sequence."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from optimizers.base import Optimizer, Point


class Sobol(Optimizer):
    """Scrambled Sobol' points in their own order (Sobol', 1967; scrambling as in Matoušek, 1998, by scipy).

    The sequence is balanced over its first 2^m points, and only if it is read from its first point, unthinned (Owen,
    "On dropping the first Sobol' point", 2020). So the run is a prefix of the shortest such set that holds the budget.
    """

    name = "sobol"
    label = "Sobol"
    parallel = True
    goals = (1, 2)

    @cached_property
    def _sequence(self) -> NDArray[np.float64]:
        return without(self.start, sobol_points(self.dim, self.budget, self._generator()))

    def _next(self) -> Point:
        return self._sequence[self._proposed]


SAME = 2.0**-33
"""Points are the same up to this distance along each axis, as settings that were written in other units come back with
their last digits changed; those of a Sobol' sequence are 2^-30 apart at least."""


def without(given: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points, of shape (n, dim), that are not among those given (m, dim), which need not be evaluated twice."""
    return points[~(np.abs(points[:, None] - given) <= SAME).all(axis=-1).any(axis=-1)]


def sobol_points(dim: int, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """The first points of a scrambled Sobol' sequence.

    Args:
        dim: Number of dimensions.
        n: How many points are needed; rounded up to a power of two.
        generator: Draws the scrambling.

    Returns:
        At least n points, of shape (2^m, dim), in [0, 1)^dim.
    """
    return qmc.Sobol(dim, scramble=True, rng=generator).random_base2((n - 1).bit_length())
