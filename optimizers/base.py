"""The ask/tell protocol that every optimiser follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimizers.errors import BudgetExhaustedError, InvalidSettingError, ProtocolError
from optimizers.options import integer

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

    An optimiser is a deterministic function of its seed and its history. To resume, make a new one with the same
    arguments, and replay: ask, check that the proposal is the recorded one, tell the recorded score.

    Args:
        dim: Number of hyperparameters, at least 1.
        seed: Source of all randomness, a non-negative integer.
        budget: How many points may be asked for in all, at least 1.
        start: The first point to propose, of shape (dim,) in the unit cube, and where a search that has a centre
            begins. A good start is knowledge about the box and not about the optimiser, so every optimiser takes one
            and none has one by default.

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
    seeded: ClassVar[bool] = True
    """Whether another seed gives another trace."""

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None) -> None:
        self.dim = integer("dim", dim, least=1)
        self.seed = integer("seed", seed, least=0)
        self.budget = integer("budget", budget, least=1)
        self.start = None if start is None else self._checked_start(start)
        self._X: list[Point] = []
        self._scores: list[float] = []
        self._pending: list[Point] = []
        self._restarts: list[Restart] = []

    @property
    def settings(self) -> Mapping[str, object]:
        """Every option that changes the trace, as plain JSON values; part of the key under which runs are stored."""
        return {} if self.start is None else {"start": self.start.tolist()}

    @property
    def asked(self) -> int:
        """How many points were asked for so far, told or pending."""
        return len(self._scores) + len(self._pending)

    @property
    def history(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What was told so far: points of shape (n, dim) and scores of shape (n,), NaN where an evaluation failed."""
        return np.array(self._X).reshape(-1, self.dim), np.array(self._scores)

    @property
    def restarts(self) -> tuple[Restart, ...]:
        """The restarts so far, oldest first; empty for optimisers that never restart."""
        return tuple(self._restarts)

    @property
    def pending(self) -> tuple[Point, ...]:
        """Points asked for and not yet told, oldest first."""
        return tuple(self._pending)

    def ask(self) -> Point:
        """The next point to evaluate.

        Optimisers with `parallel` set may be asked again before the answer is told, so that several workers can
        evaluate at once.

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
            optimizers: Different runs of this class with equal `dim` and `settings`.

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
        own = [optimizer for optimizer in optimizers if optimizer.asked or optimizer.start is None]
        proposals = iter(cls._propose(own) if own else ())
        points = []
        for optimizer in optimizers:
            given = None if optimizer.asked else optimizer.start
            point = np.clip(np.array(next(proposals) if given is None else given, dtype=np.float64), 0.0, 1.0)
            if point.shape != (optimizer.dim,) or np.isnan(point).any():
                raise ProtocolError(f"{cls.__name__} proposed {point}, which is no point in {optimizer.dim}-D")
            point.flags.writeable = False
            optimizer._pending.append(point)
            points.append(point)
        return points

    def tell(self, x: Point, score: float) -> None:
        """Record the score of a point that was asked for.

        Args:
            x: The point, of shape (dim,), exactly as `ask` returned it.
            score: Its score, to be maximised; NaN if the evaluation failed.

        Raises:
            ProtocolError: If that point is not pending.
            InvalidSettingError: If the score is infinite.
        """
        if np.isinf(score):
            raise InvalidSettingError(f"a score must be finite, or NaN for a failed evaluation, not {score}")
        for index, point in enumerate(self._pending):
            if np.array_equal(np.asarray(x), point):
                del self._pending[index]
                self._X.append(point)
                self._scores.append(float(score))
                self._observe(point, float(score))
                return
        raise ProtocolError(f"told the score of {np.asarray(x)}, which was not asked for or already told")

    def _next(self) -> Point:
        """One new point, of shape (dim,); never called for the first point of a run with a `start`.

        This is all that an optimiser needs to have.
        """
        raise ProtocolError(f"{type(self).__name__} must define _next or _propose")

    @classmethod
    def _propose(cls, optimizers: Sequence[Any]) -> Sequence[Point]:
        """One new point for each run; for optimisers that can work on several runs at once."""
        return [optimizer._next() for optimizer in optimizers]

    def _observe(self, x: Point, score: float) -> None:
        """Learn a score; for optimisers that keep more than the history."""

    @property
    def _proposed(self) -> int:
        """How many points so far were the optimiser's own idea: the start it was given does not count."""
        return self.asked - (self.start is not None and self.asked > 0)

    def _generator(self, *key: int) -> np.random.Generator:
        """Random numbers that depend on the seed and the key alone, so that no draw depends on an earlier one."""
        return np.random.default_rng([self.seed, *key])

    def _checked_start(self, start: ArrayLike) -> Point:
        point = np.array(start, dtype=np.float64)
        if point.shape != (self.dim,) or not np.all((point >= 0.0) & (point <= 1.0)):
            raise InvalidSettingError(f"start must be {self.dim} numbers from 0 to 1, not {start!r}")
        point.flags.writeable = False
        return point

    @classmethod
    def _check_group(cls, optimizers: Sequence[Self]) -> None:
        if len({id(optimizer) for optimizer in optimizers}) < len(optimizers):
            raise ProtocolError("a run stands in the group twice")
        for optimizer in optimizers:
            if type(optimizer) is not cls:
                raise InvalidSettingError(f"{cls.__name__}.ask_many was given a {type(optimizer).__name__}")
            if optimizer.dim != optimizers[0].dim or optimizer.settings != optimizers[0].settings:
                raise InvalidSettingError("runs that are asked together need equal dimensions and equal settings")
