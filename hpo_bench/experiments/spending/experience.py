"""First points from experience: where the settings that were best on other pairs lie."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from hpo_bench.benchmark.experience import learnt
from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN, WholeTrials

MARKS = (4, 5, 8, 16)
"""After so many settings a recommendation is made."""
OWN = "gp-bo, own"
COLUMNS = ("plan", "pair", "pool", "draw", "settings", "loss")


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
            start = others[0].X[learnt(np.array([one.worth for one in others]))]
            group = [one for one in pools if getattr(one, by) == left]
            for name in ("gp-bo", "random"):
                plan = WholeTrials(name, MARKS, {"start": start})
                rows += _rows(f"{name}, experience, {by} out", plan, group, examples, draws)
    rows += _rows(OWN, WholeTrials("gp-bo", MARKS), pools, examples, draws)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(
    name: str, plan: WholeTrials, pools: Sequence[Pool], examples: int, draws: int
) -> Iterator[tuple[object, ...]]:
    drawn = [Draw.of(one, seed) for one in pools for seed in range(draws)]
    for step in plan.run(drawn, examples):
        if step.rule == (MEAN if plan.optimizer == "gp-bo" else HIGHEST):
            draw = drawn[step.draw]
            loss = 100 * (draw.best - float(draw.truth[step.place]))
            yield name, draw.pool.pair, draw.pool.name, draw.seed, step.settings, loss
