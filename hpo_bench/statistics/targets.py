"""How many evaluations it takes to reach a target, where some runs never do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

TARGETS = (0.1, 0.05, 0.01)
"""Normalised regrets."""
ROUNDING = 1e-9
"""Shares of runs that are nearer to each other are equal."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When runs reached a target, for good. A run that has not when its budget ends is censored there, not failed.

    Attributes:
        evaluations: Until the target, or until the budget ended, shape (runs,).
        reached: Whether it was the target, shape (runs,).
    """

    evaluations: FloatArray
    reached: BoolArray

    @classmethod
    def of(cls, regret: FloatArray, target: float) -> "Arrival":
        """From regrets after each evaluation, shape (runs, budget).

        With noise a recommendation may get worse again, and nobody could have known that it was good for a while.
        """
        budget = regret.shape[1]
        short = ~(regret <= target)
        reached = ~short[:, -1]
        last_short = np.where(short.any(axis=1), budget - short[:, ::-1].argmax(axis=1), 0)
        return cls(np.where(reached, last_short + 1, budget).astype(float), reached)

    @classmethod
    def pooled(cls, arrivals: Sequence["Arrival"]) -> "Arrival":
        """All runs of several landscapes together, each run counting as one."""
        return cls(
            np.concatenate([one.evaluations for one in arrivals]), np.concatenate([one.reached for one in arrivals])
        )

    def curve(self, until: int) -> FloatArray:
        """The share of runs that had reached the target after 1 to `until` evaluations, shape (until,).

        Kaplan and Meier (1958), so that budgets of different length can be pooled; the data profile of More and Wild
        (2009) where they are equal. NaN beyond the last run under observation, unless
        all arrived.
        """
        sample = CensoredData.right_censored(self.evaluations, ~self.reached)
        estimate = ecdf(sample).cdf
        share = np.asarray(estimate.evaluate(np.arange(1, until + 1)), dtype=float)
        if not self.reached.all():
            share[int(self.evaluations.max()) :] = np.nan
        return share

    def median(self) -> float:
        """Evaluations after which half of all runs had reached it; NaN if they had not when the last budget ended."""
        # The estimate is a product, which rounding leaves a little below the half that it is.
        half = self.curve(int(self.evaluations.max())) >= 0.5 - ROUNDING
        return float(np.argmax(half) + 1) if half.any() else np.nan

    @property
    def share(self) -> float:
        """The share of runs that reached it within their budgets."""
        return float(self.reached.mean())

    @property
    def average_running_time(self) -> float:
        """Evaluations spent on all runs, over the number of those that arrived; infinite if none did.

        COCO's aRT (formerly ERT; Hansen et al., 2021; Auger & Hansen, 2005): what one success costs when an
        unsuccessful run is started again from nothing.
        """
        return float(self.evaluations.sum() / self.reached.sum()) if self.reached.any() else np.inf


def performance_profile(costs: FloatArray, factors: FloatArray) -> FloatArray:
    """For how many problems each optimiser needs at most so many times the least cost of any (Dolan & More, 2002).

    Args:
        costs: Shape (optimisers, problems), infinite where unsolved.
        factors: At which to evaluate, at least 1, shape (k,).

    Returns:
        Shares of the problems that at least one solved, shape (optimisers, k); NaN if none was.
    """
    best = costs.min(axis=0)
    solved = np.isfinite(best)
    if not solved.any():
        return np.full((len(costs), len(factors)), np.nan)
    ratio = costs[:, solved] / best[solved]
    return (ratio[:, :, None] <= factors).mean(axis=1)
