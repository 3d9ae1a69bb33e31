"""When to end: what is lost by stopping once the rest of the budget is expected to gain little, as `tune --until`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.posterior import errors_of, means
from hpo_bench.experiments.spending.whole import WholeTrials
from hpo_bench.tuning.stopping import LEAST_TRIALS, gain_ahead

THRESHOLDS = (0.05, 0.1, 0.2, 0.4)
"""In points."""
DEFAULT = 0.1
"""Of `tune --until`."""
COLUMNS = ("dim", "pair", "pool", "draw", "examples", "threshold", "budget", "settings", "loss", "later")


def stopped(pools: Sequence[Pool], examples: int, *, draws: int, budget: int) -> pd.DataFrame:
    """Tune with GP-BO to the end of a budget, and see what was recommended where a threshold would have ended it.

    Args:
        pools: Of one dimension.
        examples: That every setting answers.
        draws: Of each pool.
        budget: Settings in all.

    Returns:
        A row for each draw and threshold: settings until the end, the loss there, and that at the end of the budget, in
        points.
    """
    drawn = [Draw.of(one, seed) for one in pools for seed in range(draws)]
    counts = [min(examples, one.seen.shape[1]) for one in drawn]
    gained, lost = [], []
    for places in WholeTrials("gp-bo", (budget,)).replay(drawn, counts):
        if places.shape[1] < LEAST_TRIALS:
            continue
        X = np.array([one.pool.X[taken] for one, taken in zip(drawn, places, strict=True)])
        held = zip(drawn, places, counts, strict=True)
        scores = np.array([one.totals[taken, m] / m for one, taken, m in held], dtype=np.float64)
        errors = errors_of(scores, np.array(counts)[:, None])
        best = places[np.arange(len(drawn)), means(X, scores, errors).argmax(axis=1)]
        lost.append([100 * (one.best - one.truth[place]) for one, place in zip(drawn, best, strict=True)])
        further = budget - places.shape[1]
        told = (one.seen[taken, :m].astype(float) for one, taken, m in zip(drawn, places, counts, strict=True))
        gained.append([100 * gain_ahead(x, own, further=further) for x, own in zip(X, told, strict=True)])
    loss, gain = np.array(lost), np.array(gained)
    rows = []
    for threshold in THRESHOLDS:
        small = gain < threshold
        for at, end in enumerate(small.argmax(axis=0)):
            pool = drawn[at].pool
            key = (pool.dim, pool.pair, pool.name, drawn[at].seed, examples, threshold, budget)
            rows.append((*key, LEAST_TRIALS + int(end), loss[end, at], loss[-1, at]))
    return pd.DataFrame(rows, columns=list(COLUMNS))
