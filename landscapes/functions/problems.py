"""Functions of the unit cube as problems of a benchmark."""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.errors import UnknownLandscapeError
from landscapes.functions import Function, members, suite
from landscapes.functions.function import SAMPLE_BITS
from landscapes.problem import Origin, Problem
from landscapes.space import Parameter, SearchSpace
from surrogates.extrema import Extremum
from surrogates.nearest import offer

Array = NDArray[np.float64]

SUITE_SEED = 2026
"""Draws the functions of a suite; not one that any optimiser was chosen on."""
NOISE = 0.1
"""Standard deviation of the noise of a function, as a fraction of the spread of its values."""


class FunctionProblem(Problem):
    """A function of the unit cube as a problem.

    Args:
        function: The function.
    """

    sample_bits = SAMPLE_BITS

    def __init__(self, function: Function) -> None:
        self.function = function
        self.name = function.name
        # BBOB's functions are the same ones in every dimension.
        own = function.name.partition("/")[2] if function.suite.startswith("bbob") else function.name
        self.card = Origin(own, function.suite)
        self.space = SearchSpace(tuple(Parameter(f"x{axis + 1}", 0.0, 1.0) for axis in range(function.dim)))

    def score(self, x: ArrayLike) -> Array:
        """See `Problem`."""
        return self.function.score(self.space.to_unit(x))

    def _scores_in_cube(self, u: Array) -> Array:
        return self.function.score(u)

    @property
    def optimum(self) -> Extremum:
        """The maximum; where it lies is not kept."""
        return Extremum(np.full(self.space.dim, np.nan), self.function.f_max, self.function.gap)

    @property
    def minimum(self) -> Extremum:
        """The minimum; where it lies is not kept."""
        return Extremum(np.full(self.space.dim, np.nan), self.function.f_min, 0.0)

    @property
    def noise(self) -> float:
        """Standard deviation of one evaluation in noisy benchmarks: a tenth of the spread of the function's values."""
        return NOISE * self.function.spread

    @cached_property
    def content_hash(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Changes when the function does."""
        digest = hashlib.sha256(f"{self.name} {self.function.f_max!r} {self.function.f_min!r} {NOISE}".encode())
        digest.update(np.ascontiguousarray(self.regret_sample[:: 2**6], dtype="<f8").tobytes())
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is kept of earlier calls, which workers can do without."""
        return {key: value for key, value in self.__dict__.items() if key != "content_hash"}


def functions(names: Sequence[str], patterns: Sequence[str]) -> list[FunctionProblem]:
    """The functions of some suites.

    Args:
        names: Suites of `landscapes.functions`, such as "bbob-2d"; "bbob" means those of every dimension.
        patterns: Which functions of these, with * and ?; none means all.

    Raises:
        UnknownLandscapeError: If a suite is unknown or cannot be had, or a pattern means nothing.
    """
    chosen: dict[str, FunctionProblem] = {}
    for name in names:
        for one in members(name):
            chosen.update((function.name, FunctionProblem(function)) for function in suite(one, SUITE_SEED))
    if not patterns:
        return [chosen[name] for name in sorted(chosen)]
    found = sorted(name for name in chosen if any(fnmatchcase(name, pattern) for pattern in patterns))
    if not found:
        raise UnknownLandscapeError(f"no function is called {patterns[0]!r}; {offer(patterns[0], chosen)}")
    return [chosen[name] for name in found]
