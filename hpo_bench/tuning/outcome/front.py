"""What keeping an ability costs: the trials that no other trial beats in both goals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated

from hpo_bench.tuning.outcome.posterior import Belief, within_scores
from hpo_bench.tuning.trial import Trial


@dataclass(frozen=True, slots=True)
class Choice:
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


def choices(held: Sequence[Belief]) -> list[Choice]:
    """All complete trials of all methods, by what they keep, the most first; none where nothing must be kept.

    Args:
        held: Beliefs of a study with an ability to keep.
    """
    found = []
    for belief in held:
        raw = np.array([np.nan if trial.margin is None else trial.margin for trial in belief.trials])
        margins = raw
        if belief.margins is not None:
            points = belief.margins.posterior.X[0].numpy()
            margins = belief.margins.predict(points)[0]
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
    made = [Choice(*one, best=bool(on)) for one, on in zip(found, front, strict=True)]
    return sorted(made, key=lambda choice: choice.kept, reverse=True)
