"""What any optimiser must do to be one: a suite for ours and for yours.

With pytest:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check):
        check(MyOptimizer)

Without: `check_all(MyOptimizer)`. Every check takes the class and nothing else; to check options, wrap them in a
subclass. A check that fails raises `ConformanceError`, an AssertionError that says what was wrong.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from optimizers.base import Optimizer, Point
from optimizers.errors import BudgetExhaustedError, InvalidSettingError, OptimizerError, ProtocolError

Objective = Callable[[Point], float]

BUDGET = 10
"""Evaluations of most checks: past any initial design, into a second generation or line search."""

GROUP_TOLERANCE = 1e-9
"""How far a point may be from where it would be if its run were alone, along any axis."""


class ConformanceError(AssertionError):
    """An optimiser breaks the protocol."""


def check_all(cls: type[Optimizer]) -> None:
    """Runs every check.

    Raises:
        ConformanceError: If one of them fails.
    """
    for check in CHECKS:
        check(cls)


def points_lie_in_the_cube(cls: type[Optimizer]) -> None:
    """In 1 to 6 dimensions, points have the right shape, are inside, and cannot be written to."""
    for dim in range(1, 7):
        optimizer = cls(dim, seed=3, budget=BUDGET)
        for x in _drive(optimizer, _hill, BUDGET):
            _require(x.shape == (dim,), f"in {dim}-D a point has the shape {x.shape}")
            _require(bool(np.all((x >= 0.0) & (x <= 1.0))), f"{x} lies outside the unit cube")
            _require(not x.flags.writeable, "a point can be written to, and its history with it")


def seed_and_history_decide(cls: type[Optimizer]) -> None:
    """The same seed and scores give the same points, bit for bit, whatever the state of the global generators."""
    runs = []
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global generators are what is under test)
    with torch.random.fork_rng():
        for state in (1, 2):
            random.seed(state)
            np.random.seed(state)  # noqa: NPY002
            torch.manual_seed(state)
            runs.append(_drive(cls(2, seed=7, budget=BUDGET), _hill, BUDGET))
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    first, second = runs
    _require_equal(first, second, "two runs with equal seeds and scores differ")


def seeds_differ(cls: type[Optimizer]) -> None:
    """Different seeds give different runs, seed 0 included, unless the class says that it is not `seeded`."""
    runs = [np.array(_drive(cls(2, seed=seed, budget=BUDGET), _hill, BUDGET)) for seed in (0, 1, 2)]
    again = np.array(_drive(cls(2, seed=0, budget=BUDGET), _hill, BUDGET))
    _require(np.array_equal(runs[0], again), "two runs with seed 0 differ: is 0 taken as the clock?")
    for a, b in ((0, 1), (0, 2), (1, 2)):
        differ = not np.array_equal(runs[a], runs[b])
        _require(differ == cls.seeded, f"seeds {a} and {b} give {'different' if differ else 'equal'} runs")


def budget_is_exact(cls: type[Optimizer]) -> None:
    """Every evaluation of the budget is proposed, and not one more."""
    for budget in (1, 2, 5, BUDGET):
        optimizer = cls(2, seed=5, budget=budget)
        _drive(optimizer, _hill, budget)
        _expect(BudgetExhaustedError, optimizer.ask, f"a budget of {budget} yields more than {budget} points")


def failures_are_survived(cls: type[Optimizer]) -> None:
    """Failed evaluations, be it the first, some, or all, neither stop the run nor are tried again."""
    failing: tuple[tuple[str, Objective], ...] = (
        ("all", lambda _: np.nan),
        ("the better half", lambda x: np.nan if x[0] > 0.4 else _hill(x)),
        ("the worse half", lambda x: np.nan if x[0] < 0.4 else _hill(x)),
    )
    for which, objective in failing:
        optimizer = cls(2, seed=11, budget=BUDGET)
        points = _drive(optimizer, objective, BUDGET)
        failed = [tuple(x) for x in points if np.isnan(objective(x))]
        _require(len(set(failed)) == len(failed), f"when {which} fail, a failed point is proposed again")


def constant_scores_are_survived(cls: type[Optimizer]) -> None:
    """An objective without any slope gives points like any other."""
    for dim in (1, 2):
        for score in (0.0, 1e6):
            _require(
                bool(np.isfinite(_drive(cls(dim, seed=1, budget=BUDGET), lambda _, s=score: s, BUDGET)).all()),
                f"an objective that is {score} everywhere leads to points that are no numbers",
            )


def replay_resumes(cls: type[Optimizer]) -> None:
    """A new object that is told the history of an old one goes on as that would, failures and noise included."""

    def objective(x: Point) -> float:
        return np.nan if 0.3 < x[1] < 0.45 else _hill(x)

    whole = cls(2, seed=13, budget=BUDGET)
    points = _drive(whole, objective, BUDGET, standard_error=0.02)
    for interrupted in (1, BUDGET // 2, BUDGET - 1):
        old = cls(2, seed=13, budget=BUDGET)
        _drive(old, objective, interrupted, standard_error=0.02)
        new = cls(2, seed=13, budget=BUDGET)
        for x, score, error in zip(*old.history, old.standard_errors, strict=True):
            asked = new.ask()
            _require(np.array_equal(asked, x), f"replayed, the run proposes {asked} where it proposed {x}")
            new.tell(x, float(score), standard_error=float(error))
        rest = _drive(new, objective, BUDGET - interrupted, standard_error=0.02)
        _require_equal(rest, points[interrupted:], f"resumed after {interrupted} evaluations, the run goes elsewhere")
        _require(new.restarts == whole.restarts, "a resumed run logs other restarts")


def workers_replay(cls: type[Optimizer]) -> None:
    """With several workers, the same asks and tells in the same order, late ones included, give the same points."""
    if not cls.parallel:
        return
    runs = []
    for _ in range(2):
        optimizer = cls(2, seed=17, budget=2 * BUDGET)
        waiting = [optimizer.ask() for _ in range(3)]
        while optimizer.asked < optimizer.budget:
            x = waiting.pop(optimizer.asked % 3)
            optimizer.tell(x, np.nan if x[0] > 0.8 else _hill(x), standard_error=0.02)
            waiting.append(optimizer.ask())
        runs.append([*optimizer.history[0], *waiting])
    _require_equal(runs[0], runs[1], "two runs with three workers each, told the same in the same order, differ")


def company_does_not_matter(cls: type[Optimizer]) -> None:
    """Asked in a group, each run goes where it goes alone, whether the others fail or are further on."""

    def objective(run: int) -> Objective:
        return lambda x: np.nan if run == 1 and x[0] < 0.3 else _hill(x) + run * float(x[0])

    seeds = (0, 1, 2, 2)
    alone = [_drive(cls(2, seed=seed, budget=BUDGET), objective(run), BUDGET) for run, seed in enumerate(seeds)]
    group = [cls(2, seed=seed, budget=BUDGET) for seed in seeds]
    _drive(group[3], objective(3), 2)
    for step in range(BUDGET):
        active = [run for run in range(len(group)) if group[run].asked < BUDGET]
        for run, x in zip(active, cls.ask_many([group[run] for run in active]), strict=True):
            expected = alone[run][step + 2 * (run == 3)]
            gap = float(np.max(np.abs(x - expected)))
            _require(gap <= GROUP_TOLERANCE, f"in a group, point {step} of a run is {gap:.3g} from where it is alone")
            group[run].tell(x, objective(run)(x))


def unknown_points_are_refused(cls: type[Optimizer]) -> None:
    """Only a point that was asked for can be told, once, with a score that is no infinity."""
    optimizer = cls(2, seed=1, budget=BUDGET)
    _expect(ProtocolError, lambda: optimizer.tell(np.array([0.123, 0.456]), 1.0), "a point never asked for can be told")
    x = optimizer.ask()
    elsewhere = np.where(x > 0.5, x - 0.25, x + 0.25)
    _expect(ProtocolError, lambda: optimizer.tell(elsewhere, 1.0), "another point than the one asked for can be told")
    _expect(InvalidSettingError, lambda: optimizer.tell(x, np.inf), "an infinite score can be told")
    for error in (-0.1, np.inf, np.nan):
        _expect(
            InvalidSettingError,
            lambda error=error: optimizer.tell(x, 1.0, standard_error=error),
            f"a standard error of {error} can be told",
        )
    optimizer.tell(x, 1.0)
    _expect(ProtocolError, lambda: optimizer.tell(x, 1.0), "a point can be told twice")
    _require(len(optimizer.history[1]) == 1, "what was refused is in the history")


def pending_points_are_kept_apart(cls: type[Optimizer]) -> None:
    """Asked while points are pending, a `parallel` optimiser proposes others, and any other one refuses."""
    optimizer = cls(2, seed=2, budget=2 * BUDGET)
    if not cls.parallel:
        optimizer.ask()
        _expect(ProtocolError, optimizer.ask, "it is not `parallel`, yet proposes while a point is pending")
        return
    _drive(optimizer, _hill, 6)
    waiting = [optimizer.ask() for _ in range(4)]
    while optimizer.asked < optimizer.budget:
        _require(len({tuple(x) for x in waiting}) == len(waiting), "two pending points are equal")
        # The workers finish out of order: the youngest but one first.
        x = waiting.pop(-2)
        optimizer.tell(x, _hill(x))
        waiting.append(optimizer.ask())
    for x in reversed(waiting):
        optimizer.tell(x, _hill(x))
    _require(not optimizer.pending, "told points are still pending")


def global_state_is_left_alone(cls: type[Optimizer]) -> None:
    """The global generators, PyTorch's default precision and its thread count are as before."""
    before = _global_state()
    _drive(cls(2, seed=0, budget=BUDGET), _hill, BUDGET)
    for what, (old, new) in {what: (old, _global_state()[what]) for what, old in before.items()}.items():
        _require(old == new, f"a run changes {what}")


def start_comes_first(cls: type[Optimizer]) -> None:
    """A given start is proposed first, point by point, changes the settings, and must lie in the cube."""
    starts = np.array([[0.5, 0.25], [0.1, 0.9], [0.4, 0.4]])
    plain = cls(2, seed=4, budget=BUDGET).settings
    for start in (starts[0], starts[:1], starts):
        given = np.atleast_2d(start)
        for score in (1.0, np.nan):
            optimizer = cls(2, seed=4, budget=BUDGET, start=start)
            points = _drive(optimizer, lambda x, s=score: s * _hill(x), BUDGET)
            _require_equal(points[: len(given)], list(given), "the given start is not proposed first, in order")
            _require(len({tuple(x) for x in points[:6]}) == 6, "the start is proposed again at once")
        _require(optimizer.settings.get("start") == given.tolist(), "the start is missing from the settings")
    _require("start" not in plain, "without a start, the settings name one")
    _require(
        len(_drive(cls(2, seed=4, budget=2, start=starts), _hill, 2)) == 2, "a start longer than the budget stops it"
    )
    for bad in ([0.5], [0.5, 1.5], [0.5, np.nan], [[0.5, 0.5], [0.5, 0.5]]):
        _expect(InvalidSettingError, lambda bad=bad: cls(2, seed=4, budget=3, start=bad), f"{bad} passes for a start")


def recommendation_is_a_success(cls: type[Optimizer]) -> None:
    """What is recommended was told and did not fail; without noise it is the best; with nothing told, nothing is."""
    optimizer = cls(2, seed=6, budget=BUDGET)
    _expect(ProtocolError, optimizer.recommend, "something is recommended before anything is told")
    x = optimizer.ask()
    optimizer.tell(x, np.nan)
    _expect(ProtocolError, optimizer.recommend, "a failed evaluation is recommended")
    _drive(optimizer, _hill, BUDGET - 1)
    X, scores = optimizer.history
    best = X[int(np.nanargmax(scores))]
    _require(np.array_equal(optimizer.recommend(), best), f"{optimizer.recommend()} is recommended, {best} is best")
    noisy = cls(2, seed=6, budget=BUDGET)
    _drive(noisy, lambda x: np.nan if x[0] < 0.2 else _hill(x), BUDGET, standard_error=0.3)
    X, scores = noisy.history
    successes = {tuple(x) for x in X[np.isfinite(scores)]}
    _require(tuple(noisy.recommend()) in successes, "with noise, what is recommended was never told a score")


def settings_are_plain(cls: type[Optimizer]) -> None:
    """The settings survive a trip through JSON, and bad arguments are refused."""
    settings = dict(cls(2, seed=0, budget=BUDGET).settings)
    _require(json.loads(json.dumps(settings)) == settings, f"the settings {settings} do not survive JSON")
    for dim, seed, budget in ((0, 0, 5), (2, -1, 5), (2, 0, 0), (2.5, 0, 5), (2, 0, True)):
        # Untyped on purpose: what a type checker would refuse is what a user may still pass.
        arguments: dict[str, Any] = {"dim": dim, "seed": seed, "budget": budget}
        _expect(
            InvalidSettingError,
            lambda arguments=arguments: cls(**arguments),
            f"{arguments} are accepted",
        )


CHECKS: tuple[Callable[[type[Optimizer]], None], ...] = (
    points_lie_in_the_cube,
    seed_and_history_decide,
    seeds_differ,
    budget_is_exact,
    failures_are_survived,
    constant_scores_are_survived,
    replay_resumes,
    workers_replay,
    company_does_not_matter,
    unknown_points_are_refused,
    pending_points_are_kept_apart,
    global_state_is_left_alone,
    start_comes_first,
    recommendation_is_a_success,
    settings_are_plain,
)


def _hill(x: Point) -> float:
    """A smooth objective without symmetries, in any number of dimensions."""
    centre = 0.35 + 0.1 * np.arange(len(x))
    return float(np.exp(-3.0 * np.sum((x - centre) ** 2)) + 0.05 * np.sum(np.cos(9.0 * x)))


def _drive(
    optimizer: Optimizer, objective: Objective, evaluations: int, *, standard_error: float | None = None
) -> list[Point]:
    """Asks and tells; returns the points."""
    points = []
    for _ in range(evaluations):
        points.append(optimizer.ask())
        optimizer.tell(points[-1], objective(points[-1]), standard_error=standard_error)
    return points


def _global_state() -> dict[str, object]:
    return {
        "Python's global generator": random.getstate(),
        "numpy's global generator": str(np.random.get_state(legacy=False)),  # noqa: NPY002
        "PyTorch's global generator": torch.get_rng_state().numpy().tobytes(),
        "PyTorch's default precision": torch.get_default_dtype(),
        "PyTorch's thread count": torch.get_num_threads(),
    }


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ConformanceError(otherwise)


def _require_equal(found: Sequence[Point], expected: Sequence[Point], otherwise: str) -> None:
    a: NDArray[np.float64] = np.array(found)
    b: NDArray[np.float64] = np.array(expected)
    if not np.array_equal(a, b):
        first = int(np.argmax((a != b).any(axis=1)))
        raise ConformanceError(f"{otherwise}: point {first} is {a[first]} and should be {b[first]}")


def _expect(error: type[OptimizerError], action: Callable[[], object], otherwise: str) -> None:
    try:
        action()
    except error:
        return
    raise ConformanceError(otherwise)
