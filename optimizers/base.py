"""The ask/tell protocol that every optimiser follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimizers.errors import BudgetExhaustedError, InvalidSettingError, ProtocolError
from optimizers.options import coordinates, integer, told_error, told_score, unit_points
from optimizers.proposals import proposed

Point = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Restart:
    """A local search gave up and a new one began.

    Attributes:
        evaluation: How many evaluations had been told when the search ended.
        reason: Why it ended, in words ("step below 0.01", "line searches gained less than 1e-3").
    """

    evaluation: int
    reason: str


class Optimizer:
    """Proposes points in the unit cube and learns their scores; always maximises.

    An optimiser is a deterministic function of its seed and its history: of what was asked and told, in order. To
    resume, make a new one with the same arguments, and replay: ask, check that the proposal is the recorded one, tell
    the recorded score and standard error. Where several workers were at work, or known points were told, asks and
    tells interleave, and are replayed in the order in which they happened.

    Args:
        dim: Number of hyperparameters, at least 1.
        seed: Source of all randomness, a non-negative integer.
        budget: How many points may be asked for in all, at least 1.
        start: The first point or points to propose, of shape (dim,) or (k, dim) in the unit cube, in order: a default
            setting, the centre of the box, what was best on a task like this one. A search that has a centre begins at
            the best of them. A good start is knowledge about the box and not about the optimiser, so every optimiser
            takes one and none has one by default. Proposals count in the budget, which may end before the start does.

    Raises:
        InvalidSettingError: If an argument is out of range.
    """

    name: ClassVar[str]
    """What the user types: lower case with hyphens."""
    label: ClassVar[str]
    """What tables and figures print."""
    version: ClassVar[int] = 1
    """Raised when the same seed and history lead to another trace, so that stored runs are known as old."""
    parallel: ClassVar[bool] = False
    """Whether it can propose while points are pending."""
    constrained: ClassVar[bool] = False
    """Whether it models a constraint's margin, where one is told; the others take what violates it for a low score."""
    goals: ClassVar[tuple[int, ...]] = (1,)
    """How many it can search for: the highest score alone, or the Pareto front of two, the margin being the other."""
    seeded: ClassVar[bool] = True
    """Whether another seed gives another trace."""

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None) -> None:
        self.dim = integer("dim", dim, least=1)
        self.seed = integer("seed", seed, least=0)
        self.budget = integer("budget", budget, least=1)
        self.start = unit_points("start", np.empty((0, self.dim)) if start is None else start, self.dim)
        self._X: list[Point] = []
        self._scores: list[float] = []
        self._standard_errors: list[float] = []
        self._known: list[bool] = []
        self._margins: list[tuple[float, float]] = []
        self._pending: list[Point] = []
        self._restarts: list[Restart] = []

    @property
    def settings(self) -> Mapping[str, object]:
        """Every option that changes the trace, as plain JSON values; part of the key under which runs are stored."""
        return {"start": self.start.tolist()} if len(self.start) else {}

    @property
    def asked(self) -> int:
        """How many points were asked for so far, told or pending."""
        return self._known.count(False) + len(self._pending)

    @property
    def history(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What was told so far: points of shape (n, dim) and scores of shape (n,), NaN where an evaluation failed."""
        return np.array(self._X).reshape(-1, self.dim), np.array(self._scores)

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """The standard errors of the scores told so far, of shape (n,), NaN where none was told."""
        return np.array(self._standard_errors)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which of the points told so far were not asked for, of shape (n,): they do not count in the budget."""
        return np.array(self._known, dtype=np.bool_)

    @property
    def restarts(self) -> tuple[Restart, ...]:
        """The restarts so far, oldest first; empty for optimisers that never restart."""
        return tuple(self._restarts)

    @property
    def seconds_elsewhere(self) -> float:
        """Processor seconds so far in processes of the optimiser's own, for those that have any."""
        return 0.0

    @property
    def pending(self) -> tuple[Point, ...]:
        """Points asked for and not yet told, oldest first."""
        return tuple(self._pending)

    def ask(self) -> Point:
        """The next point to evaluate.

        Optimisers with `parallel` set may be asked again before the answer is told, for several workers at once.

        Returns:
            A read-only point of shape (dim,) in [0, 1]^dim.

        Raises:
            BudgetExhaustedError: If as many points were asked for as the budget holds.
            ProtocolError: If a point is pending and the optimiser is not `parallel`.
        """
        return type(self).ask_many([self])[0]

    @classmethod
    def ask_many(cls, optimizers: Sequence[Self]) -> list[Point]:
        """The next point of each of several independent runs.

        One run is the same code with a list of one; optimisers that fit a model share one batched fit here.

        Args:
            optimizers: Different runs of this class with equal `dim` and, but for the start, `settings`.

        Returns:
            A point of shape (dim,) for each run, in order.

        Raises:
            BudgetExhaustedError: If a run's budget is spent.
            ProtocolError: If a run has a point pending and is not `parallel`, or stands in the list twice, or if the
                optimiser proposes what is no point.
            InvalidSettingError: If the runs are not alike.
        """
        cls._check_group(optimizers)
        for optimizer in optimizers:
            if optimizer.asked >= optimizer.budget:
                raise BudgetExhaustedError(f"all {optimizer.budget} evaluations of the budget are spent")
            if optimizer._pending and not cls.parallel:
                raise ProtocolError(f"{cls.label} needs the score of its last point before it can propose another")
        own = [optimizer for optimizer in optimizers if optimizer.asked >= len(optimizer.start)]
        proposals = iter(proposed(cls, own))
        points = []
        for optimizer in optimizers:
            given = optimizer.asked < len(optimizer.start)
            point = np.clip(optimizer.start[optimizer.asked] if given else next(proposals), 0.0, 1.0)
            point.flags.writeable = False
            optimizer._pending.append(point)
            points.append(point)
        return points

    def tell(
        self,
        x: ArrayLike,
        score: float,
        *,
        standard_error: float | None = None,
        known: bool = False,
        margin: float | None = None,
        margin_error: float | None = None,
    ) -> None:
        """Record the score of a point that was asked for, or of one that is known from elsewhere.

        A known point joins the history and does not count in the budget. An optimiser that models the history learns
        from it, a local search begins at the best that is known, as at the best of a `start`, a design takes no notice,
        and all may recommend it.

        Args:
            x: The point, of shape (dim,), exactly as `ask` returned it, or any in the unit cube if it is known.
            score: Its score, to be maximised; NaN if the evaluation failed, which every optimiser can handle, and not a
                penalty such as -1e30, beside which all other scores look the same to one that models them.
            standard_error: How uncertain the score is, as one standard deviation in its own units; None if nothing is
                known of it. An optimiser that models the scores takes it into account, the others keep it.
            known: Whether the point need not be pending. One that is pending is answered all the same.
            margin: How far above the least allowed the point is, feasible from 0 up (or the second of `goals`). Then
                scores must be 0 or more: an optimiser that is not `constrained` takes what is not feasible for its
                violation, below 0 (Deb, "An efficient constraint handling method for genetic algorithms", 2000), and
                for failed where the margin is NaN.
            margin_error: Standard error of the margin.

        Raises:
            ProtocolError: If that point is not pending, and not said to be known.
            InvalidSettingError: If a number is infinite, an error negative or none, a known point outside the cube, or
                a score beside a margin below 0 and the optimiser not `constrained`.
        """
        score = told_score("a score", score)
        error = told_error("a standard error", standard_error)
        margin_error = told_error("a margin's error", margin_error)
        distance = np.nan if margin is None else told_score("a margin", margin)
        told = unit_points("what is known", [x], self.dim)[0] if known else coordinates(x, self.dim)
        if margin is not None and not self.constrained and not np.isnan(score):
            if score < 0.0:
                raise InvalidSettingError(
                    f"{self.label} takes a violated margin for a score below 0, so beside one it cannot be told a "
                    f"score of {score}; add a constant to all scores, or take an optimiser that is `constrained`"
                )
            if not distance >= 0.0:
                score, error = distance, margin_error
        places = [place for place, pending in enumerate(self._pending) if np.array_equal(told, pending)]
        if not places and not known:
            raise ProtocolError(f"told the score of {told.tolist()}, which was not asked for or already told")
        self._X.append(self._pending.pop(places[0]) if places else told)
        self._scores.append(score)
        self._standard_errors.append(error)
        self._margins.append((distance, margin_error))
        self._known.append(not places)
        if places:
            self._observe(self._X[-1], score)

    def recommend(self) -> Point:
        """The point to use when the search is over: here the one with the highest score, the first of equals.

        Where scores are noisy the highest is the luckiest, too; an optimiser with a model of them can do better.

        Returns:
            A read-only point of shape (dim,), one of those told.

        Raises:
            ProtocolError: If no evaluation has succeeded.
        """
        return self._X[self._highest()]

    def _next(self) -> Point:
        """One new point, of shape (dim,); never called while points of the `start` are left.

        This is all that an optimiser needs to have. A point outside the cube is moved to the nearest one inside, lest
        a long run ends for it, though `hpo_bench.testing` finds it; one that is not finite is refused.
        """
        raise ProtocolError(f"{type(self).__name__} must define _next or _propose")

    @classmethod
    def _propose(cls, optimizers: Sequence[Any]) -> Sequence[Point]:
        """One new point for each run; for optimisers that can work on several runs at once."""
        return [optimizer._next() for optimizer in optimizers]

    def _observe(self, x: Point, score: float) -> None:
        """Learn the score of a point that was asked for; for optimisers that keep more than the history."""

    def _highest(self) -> int:
        """The place of the highest score in the history.

        Raises:
            ProtocolError: If no evaluation has succeeded.
        """
        scores = np.array(self._scores)
        if not np.isfinite(scores).any():
            raise ProtocolError(f"of {len(scores)} evaluations told none succeeded, so there is nothing to recommend")
        return int(np.nanargmax(scores))

    @property
    def _proposed(self) -> int:
        """How many points so far were the optimiser's own idea: the start it was given does not count."""
        return max(self.asked - len(self.start), 0)

    @property
    def _answered(self) -> NDArray[np.float64]:
        """The scores told so far of the points that were asked for, in the order in which they were told."""
        return np.array(self._scores)[~self.known]

    def _best_start(self) -> Point | None:
        """The best of the start and of the known points: of those told, or else the first that may still be told.

        None if all failed, or there are none.
        """
        told = {x.tobytes(): score for x, score in zip(self._X, self._scores, strict=True)}
        points = [*self.start, *(x for x, known in zip(self._X, self._known, strict=True) if known)]
        scores = [told.get(x.tobytes(), -np.inf) for x in points]
        left = [index for index, score in enumerate(scores) if not np.isnan(score)]
        return points[max(left, key=scores.__getitem__)] if left else None

    def _generator(self, *key: int) -> np.random.Generator:
        """Random numbers that depend on the seed and the key alone, so that no draw depends on an earlier one."""
        return np.random.default_rng([self.seed, *key])

    @classmethod
    def _check_group(cls, optimizers: Sequence[Self]) -> None:
        if len({id(optimizer) for optimizer in optimizers}) < len(optimizers):
            raise ProtocolError("a run stands in the group twice")
        for optimizer in optimizers:
            if not hasattr(optimizer, "_pending"):
                raise ProtocolError(
                    f"{cls.__name__} does not begin as an Optimizer does: let its __init__ call "
                    "super().__init__(dim, seed=seed, budget=budget, start=start)"
                )
            if type(optimizer) is not cls:
                raise InvalidSettingError(f"{cls.__name__}.ask_many was given a {type(optimizer).__name__}")
            # Every run may have a start to itself.
            settings, first = ({**one.settings, "start": ()} for one in (optimizer, optimizers[0]))
            if optimizer.dim != optimizers[0].dim or settings != first:
                raise InvalidSettingError("runs that are asked together need equal dimensions and equal settings")
