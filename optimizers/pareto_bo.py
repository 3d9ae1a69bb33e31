"""Bayesian optimisation of two goals: a search for their whole Pareto front."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from botorch.acquisition.multi_objective.monte_carlo import qNoisyExpectedHypervolumeImprovement
from botorch.models import ModelListGP
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor

from optimizers.base import Point
from optimizers.gp.acquisition import Effort
from optimizers.gp.model import Model
from optimizers.gp.posterior import avoiding
from optimizers.gp.sampled import maximum
from optimizers.gp_bo import GpBo

SAMPLES = 32
"""Of both goals' joint posterior."""
EFFORT = Effort(uniform=200, near=80, lineages=3, cloud=10, radii=(0.1, 0.03, 0.01, 0.003))
"""Less than for one goal, whose acquisition takes a hundredth of the time."""


class ParetoBo(GpBo):
    """Noisy expected hypervolume improvement of two goals (Daulton, Balandat & Bakshy, 2021).

    The goals are the score and the margin that is told with it, both to be maximised; a margin of zero means nothing
    here. Each has a Gaussian process of its own, with the kernel and the priors of `GpBo`. BoTorch's
    `qNoisyExpectedHypervolumeImprovement` is maximised: how much larger a new point is expected to make the hypervolume
    that the front dominates, whatever the known points are really worth, and whatever pending ones turn out to be.
    Why not its logarithm (Ament et al., 2023): that mends gradients, and no gradient is followed here; and BoTorch 0.18
    compiles C++ for it when it is first used, for a minute, into the user's cache, after which points are rounded
    otherwise than on a machine without a compiler.

    Hypervolume is counted from the lowest told of each goal. With two goals any reference point that lies well below
    the ends of a front includes them, and how far below does not change how the others spread (Auger, Bader, Brockhoff
    & Zitzler, "Theory of the hypervolume indicator", 2009).

    Failed points count, in both goals, as one standard deviation worse than expected and no better than the median, as
    in `GpBo`. Without margins it is `GpBo`: the front of a single goal is its maximum. It recommends as `GpBo` does
    under the constraint that margins are 0 or more; the front itself is for the user to choose from.

    Args:
        dim: Number of hyperparameters.
        seed: Draws the initial design, the samples and the candidates.
        budget: How many points may be asked for.
        start: Points to propose first, each in place of one of the initial design, as is every known point.
        initial: Points before the first model.

    Raises:
        InvalidSettingError: If an argument is out of range.
    """

    name = "pareto-bo"
    label = "Pareto BO"
    version = 1
    goals = (2,)

    @classmethod
    @torch.no_grad()
    def _suggest(cls, optimizers: Sequence[GpBo]) -> list[Point]:
        """See `GpBo`; runs with margins are searched one by one, as BoTorch's models take one at a time."""
        if not optimizers[0]._has_margins:
            return super()._suggest(optimizers)
        return [cls._towards_the_front(run) for run in optimizers]

    @staticmethod
    def _towards_the_front(run: GpBo) -> Point:
        """Where the expected improvement of the hypervolume is largest, of shape (dim,)."""
        X, scores = run.history
        margins, margin_errors = np.array(run._margins).T
        told, failed = np.isfinite(scores), torch.from_numpy(X[np.isnan(scores)])
        goals = ((scores, run.standard_errors), (margins, margin_errors))
        fits = [Model.fit(X[k], y[k], e[k], priors=run.priors) for y, e in goals for k in [np.isfinite(y)]]
        known, pending = torch.from_numpy(X[told]), torch.from_numpy(np.array(run.pending).reshape(-1, run.dim))
        models = [_avoiding(fit, failed) for fit in fits]
        means = torch.stack([fit.posterior.predict(known[None])[0][0] for fit in fits], dim=1)
        return maximum(
            lambda sampler: qNoisyExpectedHypervolumeImprovement(
                ModelListGP(*[model.botorch() for model in models]),
                ref_point=[float(fit.scores.min()) for fit in fits],
                X_baseline=known,
                sampler=sampler,
                prune_baseline=True,
                X_pending=pending if len(pending) else None,
            ),
            samples=SAMPLES,
            centres=known[is_non_dominated(means)],
            taken=torch.cat((torch.from_numpy(X), pending)),
            generator=run._generator(1, run.asked),
            effort=EFFORT,
        ).numpy()


def _avoiding(model: Model, failed: Tensor) -> Model:
    """The model in standardised units, with failed points, of shape (k, d), at what they count as."""
    posterior, scores, noise = avoiding(model.posterior, model.scores, model.noise, failed[None])
    return replace(model, posterior=posterior, scores=scores, noise=noise, offset=0.0, scale=1.0)
