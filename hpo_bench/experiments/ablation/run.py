"""Runs arms on functions, in lockstep, without and with evaluation noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.regret import random_searches
from hpo_bench.experiments.ablation.page import AblationRow, compare
from hpo_bench.workers import each, one_thread
from landscapes.functions import Function
from optimizers.base import Optimizer

Array = NDArray[np.float64]

BUDGETS = {2: 40, 3: 60}
"""Evaluations of a run, by dimension."""
FROM = 10
"""Regret is averaged over this evaluation and those after it."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to optimise.

    Attributes:
        name: What the table calls it.
        kind: The optimiser.
        changes: What is otherwise than in the default, in words.
        options: Its options.
        centre: Whether it is given the centre of the cube as its start, which is knowledge about the box.
    """

    name: str
    kind: type[Optimizer]
    changes: str
    options: Mapping[str, Any] = field(default_factory=dict)
    centre: bool = False

    def begin(self, dim: int, *, seed: int, budget: int) -> Optimizer:
        """A new run."""
        start = np.full(dim, 0.5) if self.centre else None
        return self.kind(dim, seed=seed, budget=budget, start=start, **self.options)


@dataclass(frozen=True, slots=True)
class Task:
    """An arm on functions of one dimension.

    Attributes:
        arm: The arm.
        functions: The functions, of equal dimension.
        seeds: Runs on each of them.
        noise: Standard deviation of an evaluation, as a share of each function's spread.
    """

    arm: Arm
    functions: tuple[Function, ...]
    seeds: int
    noise: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task.

    Attributes:
        ratios: By function: regret divided by that of Random, averaged over seeds and over evaluations from the tenth.
            With noise the regret is that of what the optimiser recommends after the tenth, the twentieth and the last
            evaluation, and Random has the same noise and recommends its highest score.
        seconds: Processor time a suggestion.
    """

    ratios: Mapping[str, float]
    seconds: float


def run(task: Task) -> Outcome:
    """Makes the runs of a task, all in one group."""
    with one_thread():
        return _run(task)


def _run(task: Task) -> Outcome:
    dim = task.functions[0].dim
    budget = BUDGETS[dim]
    cells = [(function, seed) for function in task.functions for seed in range(task.seeds)]
    # Every run has a seed of its own, lest one lucky initial design count many times.
    group = [task.arm.begin(dim, seed=row, budget=budget) for row in range(len(cells))]
    luck = [np.random.default_rng([index, 7]) for index in range(len(cells))]
    truth = np.empty((len(cells), budget))
    chosen: dict[int, Array] = {}
    seconds = 0.0
    for t in range(budget):
        begun = process_time()
        points = task.arm.kind.ask_many(group)
        seconds += process_time() - begun
        for row, ((function, _), optimizer, x) in enumerate(zip(cells, group, points, strict=True)):
            truth[row, t] = function.score(x[None])[0]
            if task.noise:
                error = task.noise * function.spread
                optimizer.tell(x, truth[row, t] + error * luck[row].standard_normal(), standard_error=error)
            else:
                optimizer.tell(x, truth[row, t])
        if task.noise and t + 1 in (FROM, 20, budget):
            chosen[t + 1] = np.array([f.score(o.recommend()[None])[0] for (f, _), o in zip(cells, group, strict=True)])
    if task.noise:
        at = np.array(sorted(chosen))
        scores = np.stack([chosen[t] for t in at], axis=1)
    else:
        at = np.arange(FROM, budget + 1)
        scores = np.maximum.accumulate(truth, axis=1)[:, FROM - 1 :]
    ratios = {}
    for place, function in enumerate(task.functions):
        rows = slice(place * task.seeds, (place + 1) * task.seeds)
        own = function.regret(scores[rows]).mean()
        ratios[function.name] = float(own / _random(function, budget, noise=task.noise)[at - 1].mean())
    return Outcome(ratios, seconds / (len(cells) * budget))


def _random(function: Function, budget: int, *, noise: float) -> Array:
    """What Random is expected to lose after 1 to `budget` evaluations: without noise exactly, with it by simulation."""
    if not noise:
        return function.random_regret(budget)
    deviation = noise * function.spread / (function.f_max - function.f_min)
    rng = np.random.default_rng(0)
    return random_searches(function.regret_sample, budget, rng=rng, noise=deviation).mean(axis=0)


def conduct(
    arms: Sequence[Arm], functions: Mapping[str, Sequence[Function]], *, noises: Sequence[float], seeds: int, jobs: int
) -> list[AblationRow]:
    """Runs every arm on every suite at every noise.

    Args:
        arms: The arms, the first of which is what the others are compared with.
        functions: Functions by suite.
        noises: Standard deviations of an evaluation, in spreads of a function; 0 for none.
        seeds: Runs of each arm on each function.
        jobs: Worker processes.

    Returns:
        A row for each, in the order of the suites, noises and arms.
    """
    cells = [(suite, noise) for suite in functions for noise in noises]
    tasks = [Task(arm, tuple(functions[suite]), seeds, noise) for suite, noise in cells for arm in arms]
    outcomes = dict(zip(((s, n, a.name) for s, n in cells for a in arms), each(run, tasks, jobs=jobs), strict=True))
    rows = []
    for suite, noise in cells:
        reference = list(outcomes[suite, noise, arms[0].name].ratios.values())
        for arm in arms:
            outcome = outcomes[suite, noise, arm.name]
            ratios = list(outcome.ratios.values())
            difference, factor = compare(ratios, reference)
            rows.append(
                AblationRow(
                    suite=suite,
                    noise=noise,
                    arm=arm.name,
                    changes=arm.changes,
                    functions=len(ratios),
                    mean=float(np.mean(ratios)),
                    median=float(np.median(ratios)),
                    difference=difference,
                    factor=factor,
                    better=int(np.sum(np.array(ratios) < np.array(reference))),
                    milliseconds=1e3 * outcome.seconds,
                )
            )
    return rows
