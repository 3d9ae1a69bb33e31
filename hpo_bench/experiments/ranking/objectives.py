"""The same landscape in several guises: under other surrogates, with noise, and for real (`real`)."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from landscapes.errors import InvalidGridError
from landscapes.landscape import Landscape
from landscapes.space import SearchSpace

Array = NDArray[np.float64]

NOISE = "noise"
REAL = "real"


class Objective(Protocol):
    """What an optimiser is run on.

    Attributes:
        kind: Which guise: a surrogate's name, noise or real.
        noisy: Whether the same setting may be told another score the next time.
        landscape: Name of the landscape.
        space: Its hyperparameters.
    """

    kind: str
    noisy: bool
    landscape: str
    space: SearchSpace

    @property
    def fingerprint(self) -> str:
        """Changes whenever a score may; part of the key under which races are stored."""
        ...

    def tell(self, x: Array, *, seed: int, t: int) -> tuple[float, float | None]:
        """What the optimiser is told: a score, and its standard error where scores are noisy.

        Args:
            x: A setting of shape (d,), in the parameters' own units.
            seed: Of the run.
            t: Which evaluation of the run this is, from 0; a noisy objective draws its noise by run and evaluation.
        """
        ...

    def truth(self, x: Array) -> float:
        """The score that the setting is judged by, without noise."""
        ...


class OnSurrogate:
    """A landscape as its surrogate has it, without noise."""

    noisy = False

    def __init__(self, landscape: Landscape) -> None:
        self.kind = str(landscape.surrogate.settings["kernel"])
        self.landscape, self.space = landscape.name, landscape.space
        self._scores = landscape

    @property
    def fingerprint(self) -> str:
        """The landscape's content hash."""
        return self._scores.content_hash

    def tell(self, x: Array, *, seed: int, t: int) -> tuple[float, None]:
        """The surrogate's score, whatever the run."""
        return self.truth(x), None

    def truth(self, x: Array) -> float:
        """The surrogate's score."""
        return float(self._scores.score(x[None])[0])


class WithNoise:
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

    kind = NOISE
    noisy = True

    def __init__(self, landscape: Landscape) -> None:
        answers = landscape.outcomes
        if answers is None or np.isnan(answers.correct).any():
            raise InvalidGridError(
                f"{landscape.grid.path}: noise needs the outcome of every example at every setting, in outcomes.parquet"
            )
        self.landscape, self.space = landscape.name, landscape.space
        self._scores = landscape
        self._correct = answers.correct

    @property
    def fingerprint(self) -> str:
        """Of scores and outcomes."""
        return f"{self._scores.content_hash} {self._scores.outcomes_hash}"

    def tell(self, x: Array, *, seed: int, t: int) -> tuple[float, float]:
        """The score on examples drawn for this run and evaluation, and its standard error from these very examples."""
        m = self._correct.shape[1]
        times = np.random.default_rng([seed, t]).multinomial(m, np.full(m, 1 / m))
        each = self._scores.surrogate.weights(self.space.to_unit(x[None]))[0] @ self._correct
        score = float(each @ times) / m
        return score, float(np.sqrt(times @ (each - score) ** 2 / (m - 1) / m))

    def truth(self, x: Array) -> float:
        """The surrogate's score, on all examples."""
        return float(self._scores.score(x[None])[0])
