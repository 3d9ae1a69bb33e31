"""A constraint whose margin is modelled beside the score: improvement counts where it likely holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.special import log_ndtr

from optimizers.gp.acquisition import LogExpectedImprovement
from optimizers.gp.model import Model
from optimizers.gp.posterior import Posterior

LIKELY = 0.5
"""A setting counts as feasible when it is so with at least this probability."""


@dataclass(frozen=True, slots=True)
class ConstrainedImprovement:
    """Logarithm of the expected improvement times the probability of being feasible.

    What is to be improved on is the highest posterior mean among the known points that are feasible with a probability
    of at least one half (Gardner et al., "Bayesian optimization with inequality constraints", 2014); as long as there
    is none the probability alone is maximised (Gelbart, Snoek & Adams, "Bayesian optimization with unknown
    constraints", 2014). Both factors are taken as logarithms, whose sum has no plateau where both are tiny (Ament et
    al., 2023).

    Why not BoTorch's `LogConstrainedExpectedImprovement`, which has the same values on the same two models (a test
    holds it to them): its models take one run at a time, and several times as long (`docs/optimisers.md`).

    Attributes:
        posterior: What is known of the score.
        incumbent: What is to be improved on, of shape (B,); NaN where nothing feasible is known, and the probability
            alone counts.
        margins: What is known of the margin, one model a run.
        centre: The incumbent's place, of shape (B, d), or where feasibility is most probable.
    """

    posterior: Posterior
    incumbent: Tensor
    margins: Sequence[Model]
    centre: Tensor

    @classmethod
    def of(cls, posterior: Posterior, margins: Sequence[Model], known: Tensor) -> "ConstrainedImprovement":
        """On what B runs know.

        Args:
            posterior: Of their scores.
            margins: Of their margins.
            known: The points that succeeded, of shape (B, n, d).
        """
        means = posterior.predict(known)[0].numpy()
        best, centres = [], []
        for own, points, model in zip(means, known, margins, strict=True):
            chances = chance(*model.predict(points.numpy()))
            place = leading(own, chances)
            best.append(own[place] if chances[place] >= LIKELY else np.nan)
            centres.append(points[place])
        return cls(posterior, torch.tensor(np.array(best)), margins, torch.stack(centres))

    def __call__(self, X: Tensor) -> Tensor:
        """Values of shape (B, m) at X of shape (B, m, d); minus infinity where a score is known already."""
        unknown = self.incumbent.isnan()
        value = LogExpectedImprovement(self.posterior, self.incumbent.nan_to_num())(X)
        value = torch.where(unknown[:, None] & value.isfinite(), torch.zeros_like(value), value)
        return value + torch.stack(
            [_log_chance(*model.predict(x.numpy())) for model, x in zip(self.margins, X, strict=True)]
        )


def chance(means: NDArray[np.float64], deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that a margin is 0 or more, without noise, by its means and standard deviations of shape (m,)."""
    return _log_chance(means, deviations).exp().numpy()


def leading(means: NDArray[np.float64], chances: NDArray[np.float64]) -> int:
    """Which of m points ranks first: the highest mean among the likely feasible, else the most probably feasible.

    Args:
        means: Of the score, of shape (m,).
        chances: Probabilities of being feasible, of shape (m,).
    """
    likely = chances >= LIKELY
    return int((np.where(likely, means, -np.inf) if likely.any() else chances).argmax())


def _log_chance(means: NDArray[np.float64], deviations: NDArray[np.float64]) -> Tensor:
    # Never over zero: a model keeps the least deviation, relative to its scores.
    return log_ndtr(torch.from_numpy(means / deviations))
