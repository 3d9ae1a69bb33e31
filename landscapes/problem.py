"""What optimisers run on: an objective with known extremes, whether recorded or a function."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc

from landscapes.random_baseline import expected_curve
from landscapes.space import SearchSpace
from surrogates.extrema import Extremum

Array = NDArray[np.float64]

ROUNDING = 1e-9
"""Negative regret that is rounding and nothing else, as a fraction of the problem's range."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a problem comes from that has no card; its pair is what it has in common with others, else its name."""

    pair: str
    benchmark: str
    tier: str = "function"
    domain: str = "other"
    method: str = "other"
    synthetic: bool = True


class Problem(ABC):
    """An objective over a box, to be maximised, whose maximum and minimum are known.

    Another guise of a landscape, such as one with other noise, is a subclass that overrides what is otherwise.

    Attributes:
        name: What it is called, and what seeds the runs on it: the same in every guise.
        space: Its hyperparameters.
        outcomes_hash: Of what figures depend on and scores do not; empty where there is nothing of the kind.
    """

    sample_bits: ClassVar[int] = 15
    """The uniform sample behind Random's regret has 2 to this power points."""

    name: str
    space: SearchSpace
    card: Any
    """Pair, benchmark, domain and method: an `Origin`, or a landscape's card."""
    outcomes_hash: str = ""

    @property
    def weaknesses(self) -> Sequence[str]:
        """Why it is weak, in a few words each; empty if it is not."""
        return ()

    @abstractmethod
    def score(self, x: ArrayLike) -> Array:
        """Scores of settings, of shape (n,), to be maximised.

        Args:
            x: Settings of shape (n, d) in the parameters' own units; or under their names, in any order, as a
                DataFrame, a mapping or what else `landscapes.settings.as_array` takes.

        Raises:
            InvalidSpaceError: If the shape or a name is wrong or a setting lies outside the box.
        """

    @property
    @abstractmethod
    def optimum(self) -> Extremum:
        """The certified global maximum; `x` in the parameters' own units, NaN where only the score is known."""

    @property
    @abstractmethod
    def minimum(self) -> Extremum:
        """The certified global minimum; `x` as for the maximum."""

    @property
    @abstractmethod
    def noise(self) -> float:
        """Standard error of one evaluation at the optimum, in score units; NaN where unknown."""

    @property
    def regret_noise(self) -> float:
        """Standard error of a regret near the optimum, in score units; NaN where unknown."""
        return np.nan

    @property
    @abstractmethod
    def content_hash(self) -> str:
        """64 hexadecimal digits that change when scores or regrets may."""

    def seed(self, repetition: int) -> int:
        """The seed that optimisers are given in a repetition, from 0.

        It depends on the name, because the same random points everywhere would make luck on one problem luck on all,
        and not on the optimiser, so that those which start at random start alike.
        """
        what = json.dumps({"landscape": self.name, "seed": repetition}, sort_keys=True, separators=(",", ":"))
        return int.from_bytes(hashlib.sha256(what.encode()).digest()[:8]) >> 33

    def noisily(self, seed: int) -> Callable[[Array], tuple[float, float]]:
        """What evaluates settings of shape (d,) for one run, one after another: a noisy score and its standard error.

        Args:
            seed: That of the run (`seed`); the noise is the same for all optimisers.
        """
        rng = np.random.default_rng([seed, 1])

        def evaluate(x: Array) -> tuple[float, float]:
            return float(self.score(x[None])[0] + self.noise * rng.standard_normal()), self.noise

        return evaluate

    def tried(self, shape: tuple[int, int], *, rng: np.random.Generator) -> tuple[Array, Array]:
        """Normalised regrets of settings drawn uniformly, and what noisy evaluations make them seem.

        Args:
            shape: Searches, and settings of each.
            rng: Source of the draws.

        Returns:
            Both of that shape.
        """
        regret = self.regret_sample[rng.integers(len(self.regret_sample), size=shape)]
        return regret, regret + self.noise / self.range * rng.standard_normal(shape)

    @property
    def range(self) -> float:
        """Maximum minus minimum score over the whole box, in score units."""
        return self.optimum.score - self.minimum.score

    def regret(self, scores: ArrayLike) -> Array:
        """Normalised regret (f* - score) / (f* - f_min) of each score: 0 at the maximum, 1 at the minimum.

        Args:
            scores: Of any shape, in score units; NaN stays NaN.

        Returns:
            An array of that shape. A value below zero would mean that the certificate of the optimum is wrong;
            rounding alone is set to zero.
        """
        best = self.optimum.score
        regret = (best - np.asarray(scores, dtype=np.float64)) / self.range
        # Beside a large offset the last digit of a score is worth more.
        least = max(ROUNDING, 4 * float(np.spacing(abs(best))) / self.range)
        return np.where(np.abs(regret) < least, 0.0, regret)

    @cached_property
    def regret_sample(self) -> Array:
        """Normalised regrets of settings spread evenly over the box, increasing, read-only.

        A scrambled Sobol set, so that its empirical distribution is nearer to the true one than that of as many
        random draws. Random's runs are draws with replacement from it.
        """
        # A fixed seed: Random's regret is a property of the problem and must not vary between calls.
        sample = qmc.Sobol(self.space.dim, rng=np.random.default_rng(0)).random_base2(self.sample_bits)
        regret = np.sort(self.regret(self._scores_in_cube(sample)))
        regret.flags.writeable = False
        return regret

    @abstractmethod
    def _scores_in_cube(self, u: Array) -> Array:
        """Scores of shape (n,) at points of the unit cube, of shape (n, d), each moved to where whole values are."""

    def random_regret(self, n: int) -> Array:
        """Expected normalised regret of Random after 1 to n evaluations, of shape (n,); see `expected_regret`."""
        return expected_curve(self.regret_sample, n)
