"""Checks of the order and form of what is asked and told."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from optimizers.base import Optimizer, Point
from optimizers.conformance.harness import (
    BUDGET,
    GROUP_TOLERANCE,
    ConformanceError,
    drive,
    expect,
    hill,
    inform,
    require,
    require_equal,
)
from optimizers.errors import BudgetExhaustedError, InvalidSettingError, ProtocolError
from optimizers.plugins import named
from optimizers.proposals import as_point
from optimizers.registry import checked


def class_can_be_named_and_made(cls: type[Optimizer]) -> None:
    """It is a subclass of `Optimizer` with a `name` and a `label`, and is made of (dim, *, seed, budget, start)."""
    try:
        checked(cls, named(cls))
    except InvalidSettingError as error:
        raise ConformanceError(str(error)) from error


def points_lie_in_the_cube(cls: type[Optimizer]) -> None:
    """In 1 to 6, 13 and 40 dimensions, points have the right shape, are inside, and cannot be written to.

    What is proposed must be inside by itself: a run moves what is not to the nearest point inside, where an optimiser
    that takes the cube for another box then always is.
    """

    def proposed(_cls: type[Optimizer], optimizers: Sequence[Any]) -> Sequence[Point]:
        points = cls._propose(optimizers)
        for optimizer, point in zip(optimizers, points, strict=False):
            x = as_point(cls, point, optimizer.dim)
            if not np.all((x >= -GROUP_TOLERANCE) & (x <= 1.0 + GROUP_TOLERANCE)):
                raise ProtocolError(f"{cls.__name__} proposed {x}, outside the unit cube; np.clip(x, 0, 1) moves it in")
        return points

    watched: Any = type(cls.__name__, (cls,), {"_propose": classmethod(proposed), "__module__": cls.__module__})
    for dim in (*range(1, 7), 13, 40):
        optimizer = watched(dim, seed=3, budget=BUDGET)
        for x in drive(optimizer, hill, BUDGET):
            require(x.shape == (dim,), f"in {dim}-D a point has the shape {x.shape}")
            require(bool(np.all((x >= 0.0) & (x <= 1.0))), f"{x} lies outside the unit cube")
            require(not x.flags.writeable, "a point can be written to, and its history with it")


def budget_is_exact(cls: type[Optimizer]) -> None:
    """Every evaluation of the budget is proposed, and not one more."""
    for budget in (1, 2, 5, BUDGET):
        optimizer = cls(2, seed=5, budget=budget)
        drive(optimizer, hill, budget)
        expect(BudgetExhaustedError, optimizer.ask, f"a budget of {budget} yields more than {budget} points")


def unknown_points_are_refused(cls: type[Optimizer]) -> None:
    """Only a point that was asked for can be told, once, with a score that is no infinity."""
    optimizer = cls(2, seed=1, budget=BUDGET)
    expect(ProtocolError, lambda: optimizer.tell(np.array([0.123, 0.456]), 1.0), "a point never asked for can be told")
    x = optimizer.ask()
    elsewhere = np.where(x > 0.5, x - 0.25, x + 0.25)
    expect(ProtocolError, lambda: optimizer.tell(elsewhere, 1.0), "another point than the one asked for can be told")
    expect(InvalidSettingError, lambda: optimizer.tell(x, np.inf), "an infinite score can be told")
    for error in (-0.1, np.inf, np.nan):
        expect(
            InvalidSettingError,
            lambda error=error: optimizer.tell(x, 1.0, standard_error=error),
            f"a standard error of {error} can be told",
        )
    optimizer.tell(x, 1.0)
    expect(ProtocolError, lambda: optimizer.tell(x, 1.0), "a point can be told twice")
    require(len(optimizer.history[1]) == 1, "what was refused is in the history")


def known_points_join_the_history(cls: type[Optimizer]) -> None:
    """Points told as known, before the first is asked for and in between, cost no budget and may be recommended."""
    known = np.array([[0.3, 0.6], [0.9, 0.1], [0.35, 0.45]])
    start = np.array([0.5, 0.25])

    def run() -> tuple[Optimizer, list[Point]]:
        optimizer = cls(2, seed=8, budget=BUDGET, start=start)
        for x, score in zip(known[:2], (hill(known[0]), np.nan), strict=True):
            inform(optimizer, x, score)
        require(optimizer.asked == 0, "a known point counts in the budget")
        points = drive(optimizer, hill, BUDGET // 2)
        require_equal(points[:1], [start], "after a known point, the given start is not proposed first")
        # While a point is pending, as results from elsewhere come when they come.
        points.append(optimizer.ask())
        inform(optimizer, known[2], 10.0)
        optimizer.tell(points[-1], hill(points[-1]))
        points += drive(optimizer, hill, BUDGET - len(points))
        expect(BudgetExhaustedError, optimizer.ask, "known points stretch the budget")
        return optimizer, points

    (optimizer, points), (_, again) = run(), run()
    require_equal(points, again, "two runs told the same known points in the same order differ")
    X, scores = optimizer.history
    require(len(scores) == BUDGET + len(known), "a known point is missing from the history")
    require_equal(list(X[optimizer.known]), list(known), "the history takes other points for known ones")
    require(np.array_equal(optimizer.recommend(), known[2]), "the best point is known, and another is recommended")
    for bad in ([0.5], [0.5, 1.5], [0.5, np.nan]):
        expect(InvalidSettingError, lambda bad=bad: optimizer.tell(bad, 1.0, known=True), f"{bad} passes for a point")


def pending_points_are_kept_apart(cls: type[Optimizer]) -> None:
    """Asked while points are pending, a `parallel` optimiser proposes others, and any other one refuses."""
    optimizer = cls(2, seed=2, budget=2 * BUDGET)
    if not cls.parallel:
        optimizer.ask()
        expect(ProtocolError, optimizer.ask, "it is not `parallel`, yet proposes while a point is pending")
        return
    drive(optimizer, hill, 6)
    waiting = [optimizer.ask() for _ in range(4)]
    while optimizer.asked < optimizer.budget:
        require(len({tuple(x) for x in waiting}) == len(waiting), "two pending points are equal")
        # The workers finish out of order: the youngest but one first.
        x = waiting.pop(-2)
        optimizer.tell(x, hill(x))
        waiting.append(optimizer.ask())
    for x in reversed(waiting):
        optimizer.tell(x, hill(x))
    require(not optimizer.pending, "told points are still pending")


def start_comes_first(cls: type[Optimizer]) -> None:
    """A given start is proposed first, point by point, changes the settings, and must lie in the cube."""
    starts = np.array([[0.5, 0.25], [0.1, 0.9], [0.4, 0.4]])
    plain = cls(2, seed=4, budget=BUDGET).settings
    for start in (starts[0], starts[:1], starts):
        given = np.atleast_2d(start)
        for score in (1.0, np.nan):
            optimizer = cls(2, seed=4, budget=BUDGET, start=start)
            points = drive(optimizer, lambda x, s=score: s * hill(x), BUDGET)
            require_equal(points[: len(given)], list(given), "the given start is not proposed first, in order")
            # Later on it may be right to evaluate the best point again, as scores may be noisy.
            again = (points[len(given)] == given).all(axis=1).any()
            require(not again, "the start is proposed again at once")
        require(optimizer.settings.get("start") == given.tolist(), "the start is missing from the settings")
    require("start" not in plain, "without a start, the settings name one")
    require(len(drive(cls(2, seed=4, budget=2, start=starts), hill, 2)) == 2, "a start longer than the budget stops it")
    for bad in ([0.5], [0.5, 1.5], [0.5, np.nan], [[0.5, 0.5], [0.5, 0.5]]):
        expect(InvalidSettingError, lambda bad=bad: cls(2, seed=4, budget=3, start=bad), f"{bad} passes for a start")


def settings_are_plain(cls: type[Optimizer]) -> None:
    """The settings survive a trip through JSON and stay as they are in a run, and bad arguments are refused."""
    optimizer = cls(2, seed=0, budget=BUDGET)
    settings = dict(optimizer.settings)
    try:
        text = json.dumps(settings)
    except (TypeError, ValueError) as error:
        raise ConformanceError(f"the settings {settings} are no plain JSON values: {error}") from error
    # As text, because a tuple comes back as a list and is as good a key.
    require(json.dumps(json.loads(text)) == text, f"the settings {settings} do not survive JSON")
    drive(optimizer, hill, BUDGET)
    later = dict(optimizer.settings)
    require(later == settings, f"the settings {settings} have become {later} in a run, which they shall tell apart")
    for dim, seed, budget in ((0, 0, 5), (2, -1, 5), (2, 0, 0), (2.5, 0, 5), (2, 0, True)):
        # Untyped on purpose: what a type checker would refuse is what a user may still pass.
        arguments: dict[str, Any] = {"dim": dim, "seed": seed, "budget": budget}
        expect(
            InvalidSettingError,
            lambda arguments=arguments: cls(**arguments),
            f"{arguments} are accepted",
        )
