"""Incumbents, their regret, and simulated random searches.

Scores are maximised. Regrets are fractions of the objective's range, 0 at its global maximum and 1 at its minimum, so
lower is better. What Random is expected to reach needs no runs: `landscapes.random_baseline` has it exactly.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.problem import Problem

FloatArray = NDArray[np.float64]


def best_so_far(scores: ArrayLike) -> FloatArray:
    """The incumbent after each evaluation.

    Args:
        scores: Shape (..., n), to be maximised; NaN where an evaluation failed.

    Returns:
        Running maxima of the same shape; NaN until the first evaluation that succeeded.
    """
    return np.fmax.accumulate(np.asarray(scores, dtype=float), axis=-1)


def regret_of(landscape: Problem, incumbents: ArrayLike) -> FloatArray:
    """Normalised regret r_t = (f* - max_{i<=t} f(x_i)) / (f* - f_min) of incumbents.

    Args:
        landscape: The objective, whose certified maximum and minimum count, not its best and worst recorded setting.
        incumbents: Scores of any shape; NaN where nothing has succeeded yet, which counts as regret 1.

    Returns:
        Regrets of that shape. Negative only where an optimiser passed the certified maximum.
    """
    regret = landscape.regret(incumbents)
    return np.where(np.isnan(regret), 1.0, regret)


SEARCHES = 4096
"""Searches that are simulated for one landscape."""


def random_searches(
    sample: FloatArray, n: int, *, rng: np.random.Generator, noise: float = 0.0, searches: int = SEARCHES
) -> FloatArray:
    """Regrets of simulated random searches.

    Args:
        sample: Regrets at N uniform points, shape (N,), ascending.
        n: Evaluations of each search.
        rng: Source of the draws.
        noise: Standard deviation of what is added to each evaluation, in the same units. Whoever searches takes the
            setting that looks best, whose regret without noise counts.
        searches: How many.

    Returns:
        After each evaluation, shape (searches, n).
    """
    rank = rng.integers(len(sample), size=(searches, n))
    if not noise:
        return sample[np.minimum.accumulate(rank, axis=1)]
    regret = sample[rank]
    return taken(regret, regret + noise * rng.standard_normal(regret.shape))


def taken(regret: FloatArray, seen: FloatArray) -> FloatArray:
    """Regrets of what looks best so far, the last of equals.

    Args:
        regret: Of the settings of each search, shape (searches, n).
        seen: What they seem to be, of the same shape.

    Returns:
        After each evaluation, of the same shape.
    """
    best = np.minimum.accumulate(seen, axis=1)
    last = np.maximum.accumulate(np.where(seen == best, np.arange(regret.shape[1]), 0), axis=1)
    return np.take_along_axis(regret, last, axis=1)
