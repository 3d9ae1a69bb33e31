"""Checks of what is made of the scores: which way is up, failures, plateaus, what is recommended in the end."""

import numpy as np

from optimizers.base import Optimizer, Point
from optimizers.conformance.harness import (
    BUDGET,
    GROUP_TOLERANCE,
    LONG,
    ConformanceError,
    Objective,
    drive,
    expect,
    hill,
    lockstep,
    require,
)
from optimizers.errors import ProtocolError

OFFSET = 1e9


def scores_lead_uphill(cls: type[Optimizer]) -> None:
    """Whoever heeds the scores finds higher ones by them than by the same scores negated."""
    seeds = (0, 1, 2)
    objectives: list[Objective] = [*[hill] * len(seeds), *[lambda x: -hill(x)] * len(seeds)]
    group = [cls(2, seed=seed, budget=LONG) for seed in seeds * 2]
    points = np.array(list(lockstep(group, objectives, LONG)))
    up, down = points[:, : len(seeds)], points[:, len(seeds) :]
    if np.all(np.abs(up - down) <= GROUP_TOLERANCE):
        return
    higher, lower = (np.mean([hill(x) for x in found.reshape(-1, 2)]) for found in (up, down))
    require(
        bool(higher > lower),
        f"told the scores it finds {higher:.3g} on average, told the same negated {lower:.3g}: does it minimise?",
    )


def failures_are_survived(cls: type[Optimizer]) -> None:
    """Failed evaluations, be it the first, some, or all, neither stop the run nor are tried again."""
    failing: tuple[tuple[str, Objective], ...] = (
        ("all", lambda _: np.nan),
        ("the better half", lambda x: np.nan if x[0] > 0.4 else hill(x)),
        ("the worse half", lambda x: np.nan if x[0] < 0.4 else hill(x)),
    )
    for which, objective in failing:
        optimizer = cls(2, seed=11, budget=BUDGET)
        points = drive(optimizer, objective, BUDGET)
        failed = [tuple(x) for x in points if np.isnan(objective(x))]
        require(len(set(failed)) == len(failed), f"when {which} fail, a failed point is proposed again")


def constant_scores_are_survived(cls: type[Optimizer]) -> None:
    """An objective without any slope gives points like any other."""
    for dim in (1, 2):
        for score in (0.0, 1e6, -1e-300):
            require(
                bool(np.isfinite(drive(cls(dim, seed=1, budget=BUDGET), lambda _, s=score: s, BUDGET)).all()),
                f"an objective that is {score} everywhere leads to points that are no numbers",
            )


def units_do_not_matter(cls: type[Optimizer]) -> None:
    """Scores a million million times as large, or as small, or lower by 1e9, lead to the same points.

    So no tolerance is in units of the score, and no failed evaluation counts as a score of 0, which would be the
    highest there. The factors are rounded to powers of two and the offset is taken from what is left of a score beside
    it, so that nothing else is lost.
    """

    def plain(x: Point) -> float:
        return np.nan if 0.3 < x[1] < 0.45 else hill(x)

    def coarse(x: Point) -> float:
        return (plain(x) + OFFSET) - OFFSET

    objectives: list[Objective] = [
        plain, lambda x: 2.0**40 * plain(x), lambda x: 2.0**-40 * plain(x), coarse, lambda x: coarse(x) - OFFSET
    ]  # fmt: skip
    group = [cls(2, seed=19, budget=LONG) for _ in objectives]
    points = np.array(list(lockstep(group, objectives, LONG)))
    for what, before, after in (("times 1e12", 0, 1), ("times 1e-12", 0, 2), ("minus 1e9", 3, 4)):
        gaps = np.abs(points[:, before] - points[:, after]).max(axis=1)
        first = int(np.argmax(gaps > GROUP_TOLERANCE))
        require(
            bool(gaps[first] <= GROUP_TOLERANCE),
            f"told scores {what}, it goes elsewhere from point {first} on, by {gaps[first]:.3g}: is a tolerance "
            "absolute, or a failed evaluation a number?",
        )


def margins_are_kept(cls: type[Optimizer]) -> None:
    """Under a constraint what is recommended is feasible, if anything that was told is; nothing feasible is no end."""

    def run(least: float) -> tuple[Optimizer, list[float]]:
        optimizer = cls(2, seed=9, budget=LONG // 2)
        margins = []
        while optimizer.asked < optimizer.budget:
            x = optimizer.ask()
            # The score grows towards what is forbidden.
            margins.append(float(least - x[0]))
            failed = len(margins) == 3
            try:
                optimizer.tell(x, np.nan if failed else float(x[0]), margin=np.nan if failed else margins[-1])
            except Exception as error:
                raise ConformanceError(f"told a margin it raises {type(error).__name__}: {error}") from error
        return optimizer, margins

    optimizer, margins = run(0.6)
    if max(margins) >= 0.0:
        # A model of the margin may be off by a little.
        x = optimizer.recommend()
        require(bool(x[0] <= 0.61), f"{x} is recommended, which is beyond what is allowed, 0.6 along the first axis")
    optimizer, _ = run(-1.0)
    optimizer.recommend()


def recommendation_is_a_success(cls: type[Optimizer]) -> None:
    """What is recommended was told and did not fail; without noise it is the best; with nothing told, nothing is."""
    optimizer = cls(2, seed=6, budget=BUDGET)
    expect(ProtocolError, optimizer.recommend, "something is recommended before anything is told")
    x = optimizer.ask()
    optimizer.tell(x, np.nan)
    expect(ProtocolError, optimizer.recommend, "a failed evaluation is recommended")
    drive(optimizer, hill, BUDGET - 1)
    X, scores = optimizer.history
    best = X[int(np.nanargmax(scores))]
    require(np.array_equal(optimizer.recommend(), best), f"{optimizer.recommend()} is recommended, {best} is best")
    noisy = cls(2, seed=6, budget=BUDGET)
    drive(noisy, lambda x: np.nan if x[0] < 0.2 else hill(x), BUDGET, standard_error=0.3)
    X, scores = noisy.history
    successes = {tuple(x) for x in X[np.isfinite(scores)]}
    if successes:
        require(tuple(noisy.recommend()) in successes, "with noise, what is recommended was never told a score")
