"""First points from experience: where the settings that were best on other pairs lie."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN, Whole

Array = NDArray[np.float64]

POINTS = 4
"""As many as GP-BO begins with."""
MARKS = (4, 5, 8, 16)
"""After so many settings a recommendation is made."""
OWN = "gp-bo, own"
COLUMNS = ("plan", "pair", "pool", "draw", "settings", "loss")


def learnt(pools: Sequence[Pool], count: int = POINTS) -> Array:
    """So many settings of which the best loses least on pools, on average; chosen one after the other.

    Args:
        pools: Of the same settings.
        count: How many.

    Returns:
        The settings in the unit cube, of shape (count, d).
    """
    worths = np.array([one.worth for one in pools])
    best, held = worths.max(axis=1), np.full(len(pools), -np.inf)
    chosen: list[int] = []
    for _ in range(count):
        lost = (best[:, None] - np.maximum(held[:, None], worths)).mean(axis=0)
        lost[chosen] = np.inf  # each once, even where no other is better anywhere
        chosen.append(int(lost.argmin()))
        held = np.maximum(held, worths[:, chosen[-1]])
    return pools[0].X[chosen]


def begun(pools: Sequence[Pool], examples: int, *, draws: int) -> pd.DataFrame:
    """GP-BO from points that were learnt without a pair, or without a domain, and from its own; Random from them.

    Args:
        pools: Of the same settings.
        examples: That every setting answers.
        draws: Of each pool.

    Returns:
        A row for each plan, draw and number of settings, with the loss in points.
    """
    rows: list[tuple[object, ...]] = []
    for by in ("pair", "domain"):
        for left in sorted({getattr(one, by) for one in pools}):
            others = [one for one in pools if getattr(one, by) != left]
            if not others:
                continue
            start = learnt(others)
            group = [one for one in pools if getattr(one, by) == left]
            for name in ("gp-bo", "random"):
                plan = Whole(name, MARKS, {"start": start})
                rows += _rows(f"{name}, experience, {by} out", plan, group, examples, draws)
    rows += _rows(OWN, Whole("gp-bo", MARKS), pools, examples, draws)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(name: str, plan: Whole, pools: Sequence[Pool], examples: int, draws: int) -> Iterator[tuple[object, ...]]:
    drawn = [Draw.of(one, seed) for one in pools for seed in range(draws)]
    for step in plan.run(drawn, examples):
        if step.rule == (MEAN if plan.optimizer == "gp-bo" else HIGHEST):
            draw = drawn[step.draw]
            loss = 100 * (draw.best - float(draw.truth[step.place]))
            yield name, draw.pool.pair, draw.pool.name, draw.seed, step.settings, loss
