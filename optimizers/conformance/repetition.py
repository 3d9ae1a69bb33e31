"""Checks that a run can be had again: by its seed, by replay, in company, from several workers."""

import random
from itertools import combinations

import numpy as np
import torch

from optimizers.base import Optimizer, Point
from optimizers.conformance.harness import (
    BUDGET,
    GROUP_TOLERANCE,
    LARGEST_SEED,
    LONG,
    Objective,
    drive,
    hill,
    lockstep,
    memory,
    require,
    require_equal,
    restore,
)


def seed_and_history_decide(cls: type[Optimizer]) -> None:
    """The same seed and scores give the same points, bit for bit.

    Whatever the state of the global generators, whatever ran before, and for seed 0 and the largest, too.
    """
    found: list[list[Point]] = []
    remembered = memory(cls)
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global generators are what is under test)
    try:
        with torch.random.fork_rng():
            for state in (1, 2):
                if found:
                    # In between another run, with higher scores elsewhere, for a class that is tempted to remember
                    # them, be it in its module. What the class itself remembers of the first time it forgets before.
                    restore(cls, remembered)
                    drive(cls(2, seed=21, budget=LONG), lambda x: 9.0 - hill(x), LONG // 2)
                random.seed(state)
                np.random.seed(state)  # noqa: NPY002
                torch.manual_seed(state)
                found.append(
                    [
                        *drive(cls(2, seed=LARGEST_SEED, budget=LONG), hill, LONG),
                        *drive(cls(2, seed=0, budget=BUDGET), hill, BUDGET),
                    ]
                )
    finally:
        restore(cls, remembered)
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    first, second = found
    require_equal(
        first,
        second,
        "two runs with equal seeds and scores differ, by the clock, a global generator, or what the class itself "
        "remembers of other runs, or its module does",
    )


def seeds_differ(cls: type[Optimizer]) -> None:
    """Different seeds give different runs in the end, unless the class says that it is not `seeded`."""
    seeds = (0, 1, 2)
    pairs = list(combinations(range(len(seeds)), 2))
    apart = np.zeros(len(pairs))
    for points in lockstep([cls(2, seed=seed, budget=LONG) for seed in seeds], [hill] * len(seeds), LONG):
        apart = np.maximum(apart, [np.max(np.abs(points[a] - points[b])) for a, b in pairs])
        if np.all(apart > GROUP_TOLERANCE):
            break
    for (a, b), gap in zip(pairs, apart, strict=True):
        differ = bool(gap > GROUP_TOLERANCE)
        require(
            differ == cls.seeded,
            f"seeds {seeds[a]} and {seeds[b]} give {'different' if differ else 'equal'} runs, and the class says that "
            f"it is {'' if cls.seeded else 'not '}`seeded`",
        )


def replay_resumes(cls: type[Optimizer]) -> None:
    """A new object that is told the history of an old one goes on as that would, failures and noise included."""

    def objective(x: Point) -> float:
        return np.nan if 0.3 < x[1] < 0.45 else hill(x)

    whole = cls(2, seed=13, budget=LONG)
    points = drive(whole, objective, LONG, standard_error=0.02)
    for interrupted in (BUDGET // 2, LONG - BUDGET):
        new = cls(2, seed=13, budget=LONG)
        for x in points[:interrupted]:
            (asked,) = drive(new, objective, 1, standard_error=0.02)
            require(np.array_equal(asked, x), f"replayed, the run proposes {asked} where it proposed {x}")
        end = interrupted + BUDGET
        rest = drive(new, objective, BUDGET, standard_error=0.02)
        require_equal(rest, points[interrupted:end], f"resumed after {interrupted} evaluations, the run goes elsewhere")
        logs = [[event for event in run.restarts if event.evaluation < end] for run in (new, whole)]
        require(logs[0] == logs[1], "a resumed run logs other restarts")


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
            optimizer.tell(x, np.nan if x[0] > 0.8 else hill(x), standard_error=0.02)
            waiting.append(optimizer.ask())
        runs.append([*optimizer.history[0], *waiting])
    require_equal(runs[0], runs[1], "two runs with three workers each, told the same in the same order, differ")


def company_does_not_matter(cls: type[Optimizer]) -> None:
    """Asked in a group, each run goes where it goes alone, whether the others fail, are further on or end sooner."""

    def objective(run: int) -> Objective:
        return lambda x: np.nan if run == 1 and x[0] < 0.3 else hill(x) + run * float(x[0])

    seeds, ends, ahead = (0, 1, 2, 2), (BUDGET, LONG, LONG, BUDGET), (0, 0, 0, 2)
    # The failing run is long to be company; that it goes its own way itself is seen soon.
    watched = (BUDGET, BUDGET, LONG, BUDGET)
    alone = [drive(cls(2, seed=seeds[run], budget=LONG), objective(run), watched[run]) for run in range(len(seeds))]
    group = [cls(2, seed=seed, budget=LONG) for seed in seeds]
    drive(group[3], objective(3), ahead[3])
    for step in range(LONG):
        active = [run for run in range(len(group)) if group[run].asked < ends[run]]
        for run, x in zip(active, cls.ask_many([group[run] for run in active]), strict=True):
            if (place := step + ahead[run]) < watched[run]:
                gap = float(np.max(np.abs(x - alone[run][place])))
                require(
                    gap <= GROUP_TOLERANCE, f"in a group, point {step} of a run is {gap:.3g} from where it is alone"
                )
            group[run].tell(x, objective(run)(x))


def global_state_is_left_alone(cls: type[Optimizer]) -> None:
    """The global generators are as before; what is set once for all, `settings_kept` sees around every check."""
    before = _global_state()
    drive(cls(2, seed=0, budget=BUDGET), hill, BUDGET)
    for what, (old, new) in {what: (old, _global_state()[what]) for what, old in before.items()}.items():
        require(old == new, f"a run changes {what}")


def _global_state() -> dict[str, object]:
    return {
        "Python's global generator": random.getstate(),
        "numpy's global generator": str(np.random.get_state(legacy=False)),  # noqa: NPY002
        "PyTorch's global generator": torch.get_rng_state().numpy().tobytes(),
    }
