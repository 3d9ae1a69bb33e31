"""Every optimiser on one objective, with every seed, in lockstep."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Run
from hpo_bench.experiments.ranking.objectives import Objective

Array = NDArray[np.float64]

Progress = Callable[[int], None]
"""Told how many evaluations were made."""


JUDGED = (10, 20)
"""After how many evaluations, besides the last, a recommendation is asked for where scores are noisy."""


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
        What the optimiser's choice is truly worth after each evaluation, shape (runs, budget). Without noise its choice
        is the best setting told. With noise that would be the luckiest, too: its choice then is what it recommends
        after 10, 20 and all evaluations, held in between. An optimiser that has no seed runs once, and counts for every
        run, unless the objective is noisy.
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
            told, error = objective.tell(native[row], seed=run.generator_seed, t=t)
            optimizer.tell(points[row], told, standard_error=error)
            worth[row, t] = worth[row, t - 1] if t else np.nan
            if objective.noisy and (t + 1 in (*JUDGED, budget) or t == 0):
                choice = objective.space.from_unit(optimizer.recommend()[None])[0]
                worth[row, t] = objective.truth(choice)
            elif not objective.noisy and told > best[row]:
                best[row], worth[row, t] = told, objective.truth(native[row])
        progress(len(chosen))
    return np.repeat(worth, len(runs), axis=0) if alone else worth
