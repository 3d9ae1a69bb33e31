"""A function with known extremes, maximised over the unit cube."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogates.extrema import maximum, minimum

Array = NDArray[np.float64]

SAMPLE_BITS = 14
"""Samples of a function have 2 to this power points."""


@dataclass(frozen=True)
class Function:
    """A function of the unit cube, to be maximised.

    Attributes:
        suite: Which family it comes from.
        name: Its name, unique over all suites and seeds.
        dim: Number of variables.
        f: Takes points of shape (n, dim) in the cube, gives values of shape (n,). Picklable, so that workers get it.
        f_max: Its global maximum.
        f_min: Its global minimum.
        gap: By how much the two searches that found the maximum differ; 0 where theory knows it.
    """

    suite: str
    name: str
    dim: int
    f: Callable[[Array], Array]
    f_max: float
    f_min: float
    gap: float = 0.0

    @classmethod
    def certified(
        cls, *, suite: str, name: str, dim: int, f: Callable[[Array], Array], f_max: float | None = None
    ) -> Self:
        """A function whose extremes are found by two searches each, or whose maximum is known.

        Args:
            suite: Which family it comes from.
            name: Its name.
            dim: Number of variables.
            f: The function itself.
            f_max: Its maximum, if theory knows it.
        """
        nodes = np.array(list(product((0.0, 0.5, 1.0), repeat=dim)))
        lowest = minimum(f, dim, nodes=nodes).score
        if f_max is not None:
            return cls(suite, name, dim, f, f_max, lowest)
        found = maximum(f, dim, nodes=nodes)
        return cls(suite, name, dim, f, found.score, lowest, found.gap)

    def score(self, X: ArrayLike) -> Array:
        """Values of shape (n,) at points of shape (n, dim) in the cube."""
        return self.f(np.asarray(X, dtype=np.float64))

    @cached_property
    def spread(self) -> float:
        """A standard deviation over the cube that outliers do not touch: the interquartile range over 1.349."""
        # Of plain draws: the noise of stored runs is a tenth of just this.
        sample = self.score(np.random.default_rng(0).random((2**SAMPLE_BITS, self.dim)))
        low, high = np.quantile(sample, (0.25, 0.75))
        return float(high - low) / 1.349
