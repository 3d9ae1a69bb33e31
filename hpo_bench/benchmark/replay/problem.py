"""A recorded landscape as tuning meets it: a setting scores what some examples say, and counts what others say."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from hpo_bench.benchmark.replay.pool import Pool, recorded
from hpo_bench.statistics.examples import error_of_difference, error_of_mean
from landscapes.errors import InvalidGridError
from landscapes.landscape import Landscape
from landscapes.problem import Problem
from surrogates.extrema import Extremum
from surrogates.scale import are_equal

Array = NDArray[np.float64]

VERSION = 1
"""Raised when the same recording leads to other scores."""
SETS = 64
"""Sets of examples that are drawn to say what Random reaches."""
LEAST_SEEN = 2
"""Examples that every setting answers: fewer have no standard error."""
LEAST_EXAMPLES = 2 * LEAST_SEEN
"""Of the test split, of which a run sees a half at most."""


class UnansweredError(InvalidGridError):
    """A landscape lacks answers, example by example, of its settings or of the VLM as it is."""

    why: ClassVar[str] = "answers of the VLM as it is are not recorded"
    """The same in short, for landscapes that are left out."""


class OtherScaleError(UnansweredError):
    """A landscape's answers are there and score otherwise than from 0 to 1."""

    why = "answers do not all score from 0 to 1"


class UntellingError(UnansweredError):
    """A landscape's answers tell no setting from another on unseen examples."""

    why = "test examples are too few, or unseen ones are answered alike at every setting"


class ReplayedLandscape(Problem):
    """The settings of a landscape that were merged, and nothing in between, scored example by example.

    Half of the examples, the same for every run, are unseen: they tell what a setting is worth. A run draws its own
    examples from the other half, and is told the mean over these and the standard error of the paired difference to
    the nearest setting before, as `hpo-bench tune` tells it. Proposals are rounded to the nearest recorded setting.

    Args:
        landscape: With every answer to its test examples, and to those of the VLM as it is; held-out settings count
            as recorded ones.
        examples: How many examples every setting answers, at least two, or all that there are if these are fewer; by
            default as many as the landscape was tuned on.

    Raises:
        UnansweredError: If answers were not recorded, or do not all score from 0 to 1: losses in points, and the
            standard errors that a run is told, are of such scores alone; or if test examples are too few, or the unseen
            ones tell no setting from another.
        LandscapeError: If a file of it cannot be used.
    """

    def __init__(self, landscape: Landscape, examples: int | None = None) -> None:
        self.name, self.card, self.space = landscape.name, landscape.card, landscape.space
        pool = None if landscape.folder is None else recorded(landscape.name, landscape.folder)
        if pool is None:
            raise UnansweredError(
                f"{landscape.name} has no answers, example by example, of its settings and of the VLM as it is, which "
                "unseen examples need: `hpo-bench record` asks both, `landscapes add` takes both; or leave it out"
            )
        if not all(((own >= 0) & (own <= 1)).all() for own in (pool.answers, pool.base)):
            raise OtherScaleError(
                f"not every answer to the test examples of {landscape.name} scores from 0 to 1, as points and standard "
                "errors on unseen examples need: divide scores by the highest there can be and add it again with "
                "`landscapes add`; or leave it out"
            )
        self.outcomes_hash = landscape.outcomes_hash
        self._of = landscape.content_hash
        if pool.answers.shape[1] < LEAST_EXAMPLES:
            raise UntellingError(
                f"{landscape.name} has {pool.answers.shape[1]} test examples, of which a half is unseen, and a "
                f"standard error on the others takes {LEAST_EXAMPLES} or more; record more, or leave it out"
            )
        self._set(pool, examples or len(landscape.outcomes.ids if landscape.outcomes is not None else ()))
        if are_equal(self._truth):
            raise UntellingError(
                f"all recorded settings of {landscape.name} score alike on the {len(self._unseen)} unseen examples, so "
                "that no recommendation is better than another; record more examples, or leave it out"
            )

    def _set(self, pool: Pool, examples: int) -> None:
        order = np.random.default_rng(list(self.name.encode())).permutation(pool.answers.shape[1])
        half = len(order) // 2
        self._pool = pool
        self._unseen, self._seen = order[half:], order[:half]
        self.examples = min(max(examples, LEAST_SEEN) if examples else half, half)
        self._truth = pool.answers[:, self._unseen].mean(axis=1, dtype=np.float64)
        self.base = float(pool.base[self._unseen].mean(dtype=np.float64))
        """Score of the VLM as it is on the unseen examples."""

    @cached_property
    def _near(self) -> KDTree:
        return KDTree(self._pool.X)

    def _places(self, u: Array) -> NDArray[np.int64]:
        """The recorded setting that a point of the cube stands for, of shape (n,), for points of shape (n, d).

        Whole numbers are rounded first, as those of a run are: the nearest to 2.6 need not be the nearest to 3.
        """
        return np.asarray(self._near.query(self.space.snapped(u))[1], dtype=np.int64)

    def score(self, x: ArrayLike) -> Array:
        """Scores of the nearest recorded settings on the unseen examples, of shape (n,); see `Problem`."""
        return self._scores_in_cube(self.space.to_unit(x))

    def _scores_in_cube(self, u: Array) -> Array:
        return self._truth[self._places(u)]

    @property
    def optimum(self) -> Extremum:
        """The best recorded setting on the unseen examples, which is lucky by a little; see `luck`."""
        return self._extremum(int(self._truth.argmax()))

    @property
    def minimum(self) -> Extremum:
        """The worst recorded setting on the unseen examples."""
        return self._extremum(int(self._truth.argmin()))

    def _extremum(self, place: int) -> Extremum:
        return Extremum(self.space.from_unit(self._pool.X[[place]])[0], float(self._truth[place]), 0.0)

    @property
    def luck(self) -> float:
        """How much higher the best score on the unseen examples is than that of what is best on all, in score units."""
        return float(self._truth.max() - self._truth[self._pool.worth.argmax()])

    @property
    def noise(self) -> float:
        """A run's standard error of one score beside its neighbours', in score units."""
        return self.regret_noise / 2**0.5

    @cached_property
    def regret_noise(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Standard error of a paired difference near the best setting, on as many examples as a run sees."""
        best = int(self._truth.argmax())
        count = min(1 + 2 * self.space.dim, len(self._pool.X))
        nearest = np.asarray(self._near.query(self._pool.X[best], k=count)[1], dtype=np.int64)[1:]
        differences = self._pool.answers[best] - self._pool.answers[nearest]
        return float(np.median(differences.std(axis=1, ddof=1)) / self.examples**0.5)

    @property
    def content_hash(self) -> str:
        """Of the landscape, its answers, and how many examples a setting answers."""
        what = f"replay {VERSION} {self._of} {self.outcomes_hash} {self.examples}"
        return hashlib.sha256(what.encode()).hexdigest()

    def noisily(self, seed: int) -> Callable[[Array], tuple[float, float]]:
        """See `Problem`; examples are drawn by the seed, the same for all settings of a run and for all optimisers."""
        own = self._pool.answers[:, self._drawn(np.random.default_rng([seed, 2]))]
        before: list[tuple[Array, int]] = []

        def evaluate(x: Array) -> tuple[float, float]:
            u = self.space.to_unit(x[None])[0]
            place = int(self._places(u[None])[0])
            answers = own[place].astype(np.float64)
            error = error_of_mean(answers)
            if before:
                _, nearest = min(before, key=lambda one: float(np.linalg.norm(one[0] - u)))
                error = error_of_difference(answers - own[nearest]) / 2**0.5
            before.append((u, place))
            return float(answers.mean()), error

        return evaluate

    def tried(self, shape: tuple[int, int], *, rng: np.random.Generator) -> tuple[Array, Array]:
        """See `Problem`: each search has one of a few draws of the examples."""
        places = self._places(rng.random((shape[0] * shape[1], self.space.dim))).reshape(shape)
        seen = np.stack([self._pool.answers[:, self._drawn(rng)].mean(axis=1) for _ in range(SETS)])
        own = seen[np.arange(shape[0])[:, None] % SETS, places]
        return self.regret(self._truth)[places], self.regret(own)

    def _drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.permutation(self._seen)[: self.examples]
