"""What a proposal takes in the plans that `tune` makes, by the processor's clock."""

import time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_bench.experiments.spending.whole import error_beside
from hpo_bench.tuning.stopping import LEAST_TRIALS, gain_ahead
from optimizers import registry

VERSION = 1
PLANS = ((2, 8), (2, 16), (2, 40), (3, 17), (3, 60))
"""Hyperparameters and settings: as planned for what the study's protocol costs, twice that, and the study's own."""
EXAMPLES = (160, 800, 4000)
REPEATS = 3
TIMES = ("ask", "tell", "gain")
COLUMNS = ("dim", "settings", "examples", "trial", *TIMES)


def timed() -> pd.DataFrame:
    """Tune a smooth surface with GP-BO, and time each step.

    Returns:
        A row for each trial from the second on, as the first imports and warms up: milliseconds of a processor that the
        proposal took, taking in its result, and looking ahead as `tune --until` does (NaN where it does not). Each is
        the least of a few repetitions of the very same study, as what a machine does beside it adds to the others.
    """
    frames = []
    for dim, settings in PLANS:
        for examples in EXAMPLES:
            found = np.array([_study(dim, settings, examples) for _ in range(REPEATS)]).min(axis=0)
            frames.append(pd.DataFrame(found, columns=list(TIMES)).assign(
                dim=dim, settings=settings, examples=examples, trial=range(1, settings)
            ))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _study(dim: int, settings: int, examples: int) -> list[tuple[float, float, float]]:
    """What every step took, of shape (settings - 1, 3)."""
    rng = np.random.default_rng([dim, examples])
    optimizer = registry.get("gp-bo")(dim, seed=0, budget=settings)
    ease, best = rng.random(examples), rng.uniform(0.2, 0.8, dim)
    answers: list[NDArray[np.float64]] = []
    rows = []
    for trial in range(settings):
        begin = time.process_time()
        x = optimizer.ask()
        asked = time.process_time()
        own = (ease + rng.normal(0, 0.1, examples) < 0.6 - ((x - best) ** 2).sum()).astype(float)
        answers.append(own)
        taken = time.process_time()
        optimizer.tell(x, float(own.mean()), standard_error=error_beside(own, answers[:-1], optimizer.history[0], x))
        told = time.process_time()
        gain = np.nan
        if LEAST_TRIALS <= len(answers) < settings:
            gain_ahead(optimizer.history[0], np.array(answers), further=settings - len(answers))
            gain = 1000 * (time.process_time() - told)
        if trial:
            rows.append((1000 * (asked - begin), 1000 * (told - taken), gain))
    return rows
