"""Bayesian optimisation as BoTorch's own pages show it."""

from functools import cached_property

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood
from numpy.typing import NDArray

from hpo_bench.peers.base import Peer, global_generators, quiet
from optimizers.base import Point
from optimizers.sobol import sobol_points, without


class BoTorch(Peer):
    """The loop of BoTorch's "Getting Started" (Balandat et al., 2020), one point at a time.

    A `SingleTaskGP` with its default priors and standardised scores, fitted anew at each step; log expected improvement
    (Ament et al., 2023), maximised from 10 restarts out of 512 raw samples, as in its closed-loop tutorial. The page
    begins with 10 random points; here it is the first 4 of a scrambled Sobol' sequence, the design of our GP-BO, so
    that the difference lies in model and search. As there, known points stand for as many of them, and none that is
    known or was given as a start is asked for again.

    A failed evaluation counts as the worst score so far.
    """

    name = "botorch"
    label = "BoTorch"
    given = "its own initial design, which it is in any case"
    packages = ("botorch", "gpytorch", "torch")

    initial = 4

    @property
    def settings(self) -> dict[str, object]:
        """Versions, and the size of the initial design."""
        return {**super().settings, "initial": self.initial}

    @cached_property
    def _design(self) -> NDArray[np.float64]:
        return sobol_points(self.dim, self.initial, self._generator())

    def _next(self) -> Point:
        X, scores = self.history
        if len(X) < self.initial or np.isfinite(scores).sum() < 2:
            left = without(X, self._design)
            # Beyond the design only when almost everything failed.
            return left[0] if len(left) else self._generator(self.asked).random(self.dim)
        with global_generators(self.seed, self.asked), quiet("botorch"):
            return self._suggest(
                torch.from_numpy(X), torch.from_numpy(np.where(np.isnan(scores), self._worst(), scores))
            )

    def _suggest(self, X: torch.Tensor, y: torch.Tensor) -> Point:
        model = SingleTaskGP(X, y[:, None])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        box = torch.stack((torch.zeros(self.dim), torch.ones(self.dim))).to(X)
        acquisition = LogExpectedImprovement(model, best_f=y.max())
        point, _ = optimize_acqf(acquisition, bounds=box, q=1, num_restarts=10, raw_samples=512)
        return point[0].detach().numpy()
