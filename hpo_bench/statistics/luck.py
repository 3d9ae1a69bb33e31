"""What pure luck gives: Random against its own expectation."""

import numpy as np
from numpy.typing import NDArray

from hpo_bench.statistics.intervals import TAILS
from hpo_bench.statistics.ratios import Summary

FloatArray = NDArray[np.float64]

REPLICATES = 2000
"""Simulated benchmarks."""


def random_benchmarks(
    searches: FloatArray, seeds: int, *, rng: np.random.Generator, replicates: int = REPLICATES
) -> FloatArray:
    """Mean regrets of Random in simulated benchmarks.

    Args:
        searches: Regrets of many simulated random searches on each landscape, shape (landscapes, searches).
        seeds: Runs on each landscape.
        rng: Chooses which of the searches are the runs.
        replicates: Simulated benchmarks.

    Returns:
        Shape (replicates, landscapes).
    """
    means = [own[rng.integers(len(own), size=(replicates, seeds))].mean(axis=1) for own in searches]
    return np.stack(means, axis=1)


def null_band(summary: Summary, simulated: FloatArray, random: FloatArray) -> tuple[float, float]:
    """Where a figure lies in 95 of 100 benchmarks if the optimiser is Random itself.

    Args:
        summary: What is computed.
        simulated: What `random_benchmarks` gave, shape (replicates, landscapes).
        random: Random's expected regret on each landscape, shape (landscapes,).
    """
    if not len(random):
        return np.nan, np.nan
    low, high = np.quantile(summary(simulated, random, np.ones_like(simulated)), TAILS)
    return float(low), float(high)
