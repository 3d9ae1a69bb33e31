"""The Pareto front of a study with an ability to keep: what of either goal can be had with how much of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated
from numpy.typing import NDArray

from hpo_bench.tuning.outcome.posterior import Belief, within_scores
from hpo_bench.tuning.trial import Trial


@dataclass(frozen=True, slots=True)
class TradeOff:
    """A trial and what it stands for in both goals, by posterior means, so that luck does not put it on the front.

    Attributes:
        trial: Which one.
        score: Posterior mean of the score on the examples that are improved.
        kept: Of the score on the category that must be kept.
        chance: Posterior probability that enough of it is kept.
        best: Whether no other trial is as good in both and better in one: it lies on the Pareto front.
    """

    trial: Trial
    score: float
    kept: float
    chance: float
    best: bool


def trade_offs(held: Sequence[Belief]) -> list[TradeOff]:
    """All complete trials of all methods, by what they keep, the most first; none where nothing must be kept.

    Args:
        held: Beliefs of a study with an ability to keep.
    """
    found = []
    for belief in held:
        raw = np.array([np.nan if trial.margin is None else trial.margin for trial in belief.trials])
        margins = raw if belief.margin_means is None else belief.margin_means
        for index, trial in enumerate(belief.trials):
            if trial.kept is not None and trial.margin is not None:
                least = trial.kept - trial.margin
                kept = float(margins[index]) + least
                found.append(
                    (trial, within_scores(belief.means[index]), within_scores(kept), float(belief.chances[index]))
                )
    if not found:
        return []
    front = is_non_dominated(torch.tensor([[score, kept] for _, score, kept, _ in found], dtype=torch.double))
    made = [TradeOff(*one, best=bool(on)) for one, on in zip(found, front, strict=True)]
    return sorted(made, key=lambda choice: choice.kept, reverse=True)


def hypervolumes(found: Sequence[TradeOff]) -> NDArray[np.float64]:
    """The hypervolume that the trials dominate, after each of them in the order in which they were told, of shape (n,).

    It is the area under the front (Zitzler & Thiele, 1998), counted from 0 in both scores: the score that is improved,
    averaged over all that may be asked to be kept, from nothing to a score of 1.

    Args:
        found: Trials in both goals, by what is believed of them in the end.
    """
    told = sorted(found, key=lambda one: one.trial.told_as or 0)
    goals = torch.tensor([[one.score, one.kept] for one in told], dtype=torch.double)
    volume = Hypervolume(torch.zeros(2, dtype=torch.double))
    # BoTorch wants a front, and takes what it holds twice.
    return np.array([volume.compute(goals[:t][is_non_dominated(goals[:t])]) for t in range(1, len(told) + 1)])
