"""Simulated random searches. What Random is expected to reach without noise, `landscapes.random_baseline` has."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SEARCHES = 4096
"""Searches that are simulated for one landscape."""
RANKED = (64, 2**13)
"""Searches, and settings of each, by whose ranks any number of random draws is judged where scores are noisy."""


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


def ranked(regret: FloatArray, seen: FloatArray) -> FloatArray:
    """Mean regrets of what looks best, second best and so on of n settings.

    The least of t draws from n things has a given rank with the same chance whatever they are ranked by. So
    `landscapes.random_baseline`, which takes regrets in increasing order, tells of these what a random search under
    noise reaches, as long as t is well below n.

    Args:
        regret: Of the settings of each search, shape (searches, n).
        seen: What they seem to be, of the same shape.

    Returns:
        Shape (n,).
    """
    return np.take_along_axis(regret, seen.argsort(axis=1, kind="stable"), axis=1).mean(axis=0)
