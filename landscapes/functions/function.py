"""A function with known extremes, maximised over the unit cube: a problem of a benchmark."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.problem import Origin, Problem
from landscapes.space import Parameter, SearchSpace
from surrogates.extrema import Extremum, maximum, minimum

Array = NDArray[np.float64]

NOISE = 0.1
"""Standard deviation of the noise of a function, as a fraction of the spread of its values."""


class Function(Problem):
    """A function of the unit cube, to be maximised.

    Args:
        suite: Which family it comes from.
        name: Its name, unique over all suites and seeds.
        dim: Number of variables.
        f: Takes points of shape (n, dim) in the cube, gives values of shape (n,). Picklable, so that workers get it.
        f_max: Its global maximum.
        f_min: Its global minimum.
        gap: By how much the two searches that found the maximum differ; 0 where theory knows it.
    """

    sample_bits = 14

    def __init__(
        self, suite: str, name: str, dim: int, f: Callable[[Array], Array], f_max: float, f_min: float, gap: float = 0.0
    ) -> None:
        self.suite, self.name, self.dim, self.f = suite, name, dim, f
        self.f_max, self.f_min, self.gap = f_max, f_min, gap
        # BBOB's functions are the same ones in every dimension.
        self.card = Origin(name.partition("/")[2] if suite.startswith("bbob") else name, suite)
        self.space = SearchSpace(tuple(Parameter(f"x{axis + 1}", 0.0, 1.0) for axis in range(dim)))

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

    def score(self, x: ArrayLike) -> Array:
        """See `Problem`."""
        return self.f(self.space.to_unit(x))

    def _scores_in_cube(self, u: Array) -> Array:
        return self.f(u)

    @cached_property
    def spread(self) -> float:
        """A standard deviation over the cube that outliers do not touch: the interquartile range over 1.349."""
        # Of plain draws: the noise of stored runs is a tenth of just this.
        sample = self.f(np.random.default_rng(0).random((2**self.sample_bits, self.dim)))
        low, high = np.quantile(sample, (0.25, 0.75))
        return float(high - low) / 1.349

    @property
    def optimum(self) -> Extremum:
        """The maximum; where it lies is not kept."""
        return Extremum(np.full(self.dim, np.nan), self.f_max, self.gap)

    @property
    def minimum(self) -> Extremum:
        """The minimum; where it lies is not kept."""
        return Extremum(np.full(self.dim, np.nan), self.f_min, 0.0)

    @property
    def noise(self) -> float:
        """Standard deviation of one evaluation in noisy benchmarks: a tenth of the spread of the function's values."""
        return NOISE * self.spread

    @cached_property
    def content_hash(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Changes when the function does."""
        digest = hashlib.sha256(f"{self.name} {self.f_max!r} {self.f_min!r} {NOISE}".encode())
        digest.update(np.ascontiguousarray(self.regret_sample[:: 2**6], dtype="<f8").tobytes())
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is kept of earlier calls, which workers can do without."""
        return {key: value for key, value in self.__dict__.items() if key != "content_hash"}
