"""Every optimiser on one objective, with every seed, in lockstep."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hpo_bench.plan import Contender, Run
from hpo_bench.ranking.objectives import Objective

Array = NDArray[np.float64]

Progress = Callable[[int], None]
"""Told how many evaluations were made."""


def race(
    contender: Contender, runs: Sequence[Run], objective: Objective, *, progress: Progress = lambda _: None
) -> Array:
    """Run an optimiser on an objective.

    Args:
        contender: Which optimiser.
        runs: Its seeds and budget, as `Plan.runs` gives them: the same as in `hpo-bench run`.
        objective: What to run it on.
        progress: Told of every evaluation.

    Returns:
        What the best setting so far, by the scores told, is truly worth after each evaluation: shape (runs, budget).
        An optimiser that has no seed runs once, and counts for every run, unless the objective is noisy.
    """
    kind, budget, dim = contender.kind, runs[0].budget, runs[0].dim
    alone = not kind.seeded and not objective.noisy
    chosen = runs[:1] if alone else runs
    group = [kind(dim, seed=run.generator_seed, budget=budget) for run in chosen]
    best, worth = np.full(len(chosen), -np.inf), np.empty((len(chosen), budget))
    for t in range(budget):
        points = kind.ask_many(group)
        native = objective.space.from_unit(np.stack(points))
        for row, (run, optimizer) in enumerate(zip(chosen, group, strict=True)):
            told = objective.tell(native[row], seed=run.generator_seed, t=t)
            optimizer.tell(points[row], told)
            worth[row, t] = worth[row, t - 1] if t else np.nan
            if told > best[row]:
                best[row], worth[row, t] = told, objective.truth(native[row])
        progress(len(chosen))
    return np.repeat(worth, len(runs), axis=0) if alone else worth
