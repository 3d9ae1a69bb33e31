"""The same landscape in several guises: under other surrogates, with noise, and for real (`real`)."""

import hashlib
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.errors import InvalidGridError
from landscapes.landscape import Landscape
from landscapes.problem import Problem
from surrogates import registry
from surrogates.extrema import Extremum

Array = NDArray[np.float64]

NOISE = "noise"
REAL = "real"


def under(landscape: Landscape, surrogate: str) -> Landscape:
    """The same recording under another surrogate."""
    if landscape.surrogate.settings["kernel"] == surrogate:
        return landscape
    return Landscape(landscape.card, landscape.grid, surrogate=registry.make(surrogate), folder=landscape.folder)


class Guise(Problem):
    """A landscape of which something is otherwise; what a subclass does not override is the landscape's.

    Args:
        landscape: The landscape.
    """

    def __init__(self, landscape: Landscape) -> None:
        self.landscape = landscape
        self.name, self.card, self.space = landscape.name, landscape.card, landscape.space
        self.outcomes_hash = landscape.outcomes_hash

    def score(self, x: ArrayLike) -> Array:
        """The surrogate's."""
        return self.landscape.score(x)

    @property
    def optimum(self) -> Extremum:
        """The surrogate's."""
        return self.landscape.optimum

    @property
    def minimum(self) -> Extremum:
        """The surrogate's."""
        return self.landscape.minimum

    @property
    def noise(self) -> float:
        """Of one evaluation at the optimum."""
        return self.landscape.noise

    @property
    def content_hash(self) -> str:
        """Of the landscape."""
        return self.landscape.content_hash

    def _scores_in_cube(self, u: Array) -> Array:
        return self.landscape.score(self.space.from_unit(u))


class WithNoise(Guise):
    """A landscape whose every evaluation is on examples drawn anew.

    An evaluation draws as many examples as were recorded, with replacement, and scores the setting on them. At a
    recorded setting that is the bootstrap of its recorded outcomes, so its spread is the recorded standard error.
    Between recorded settings each example's outcome is interpolated by the very weights by which the surrogate
    interpolates scores (`Surrogate.weights`): the mean over all examples is the surrogate's score exactly, and examples
    that answer alike at neighbouring settings keep doing so in between, which independent binomial draws would forget.

    Args:
        landscape: With per-example outcomes.

    Raises:
        InvalidGridError: If outcomes were not recorded, or not of every example everywhere.
    """

    def __init__(self, landscape: Landscape) -> None:
        super().__init__(landscape)
        answers = landscape.outcomes
        if answers is None or np.isnan(answers.correct).any():
            raise InvalidGridError(
                f"{landscape.grid.path}: noise needs the outcome of every example at every setting, in outcomes.parquet"
            )
        self._correct = answers.correct

    @cached_property
    def noise(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Of a typical evaluation: each one's own goes with its score."""
        return float(np.median(self._correct.std(axis=1, ddof=1)) / np.sqrt(self._correct.shape[1]))

    @property
    def content_hash(self) -> str:
        """Of scores and outcomes."""
        what = f"examples drawn anew {self.landscape.content_hash} {self.outcomes_hash}"
        return hashlib.sha256(what.encode()).hexdigest()

    def noisily(self, seed: int) -> Callable[[Array], tuple[float, float]]:
        """See `Problem`; the standard error comes from the very examples that were drawn."""
        m, t = self._correct.shape[1], 0

        def evaluate(x: Array) -> tuple[float, float]:
            nonlocal t
            times = np.random.default_rng([seed, t]).multinomial(m, np.full(m, 1 / m))
            each = self.landscape.surrogate.weights(self.space.to_unit(x[None]))[0] @ self._correct
            score, t = float(each @ times) / m, t + 1
            return score, float(np.sqrt(times @ (each - score) ** 2 / (m - 1) / m))

        return evaluate
