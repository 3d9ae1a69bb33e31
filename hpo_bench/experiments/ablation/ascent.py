"""Gradient ascent on the expected improvement, which clouds of candidates turned out to make needless."""

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

from optimizers.gp.acquisition import LogExpectedImprovement, log_improvement
from optimizers.gp.fit import minimise
from optimizers.gp.posterior import Posterior, squared_distances

LOG_ROOT_2PI = 0.5 * log(2.0 * pi)
LEAST_VARIANCE = 1e-12


def climb(acquisition: LogExpectedImprovement, x: Tensor, *, evaluations: int) -> Tensor:
    """Ascends by BFGS, every run on its own.

    Args:
        acquisition: The expected improvement of B runs.
        x: Where to begin, of shape (B, L, d).
        evaluations: The most evaluations, with gradients, of each of the L ascents.

    Returns:
        The best ends, of shape (B, d).
    """
    B, L, d = x.shape
    owners = torch.arange(B).repeat_interleave(L)
    problem = Descent(acquisition.posterior.rows(owners), acquisition.incumbent[owners])
    found, value = minimise(problem, x.flatten(0, 1), evaluations=evaluations, reach=0.1)
    return found.clamp_(0.0, 1.0).view(B, L, d)[torch.arange(B), value.view(B, L).argmin(1)]


@dataclass(frozen=True, slots=True)
class Descent:
    """Minus the log expected improvement at one point a run; beyond a face it stays as it is there.

    Attributes:
        posterior: What is known, of P runs.
        incumbent: What is to be improved on, of shape (P,).
    """

    posterior: Posterior
    incumbent: Tensor

    def subset(self, rows: Tensor) -> "Descent":
        """That of some of the runs, by index."""
        return Descent(self.posterior.rows(rows), self.incumbent[rows])

    def __call__(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values of shape (P,) and gradients of shape (P, d), at points of shape (P, d)."""
        inside = parameters.clamp(0.0, 1.0)
        value, slope = log_improvement_and_slope(self.posterior, self.incumbent, inside[:, None, :])
        return -value[:, 0], -slope[:, 0].where(parameters == inside, 0.0)


def log_improvement_and_slope(posterior: Posterior, incumbent: Tensor, X: Tensor) -> tuple[Tensor, Tensor]:
    """Log expected improvement, of shape (B, m), and its gradient, of shape (B, m, d), at X of shape (B, m, d)."""
    mean, variance, by_mean, by_variance = _slopes(posterior, X)
    deviation = variance.sqrt()
    z = (mean - incumbent[:, None]) / deviation
    log_h = log_improvement(z)
    # With h(z) = phi + z Phi, h' = Phi; both ratios in logarithms, as all three vanish far below the incumbent.
    per_mean = (torch.special.log_ndtr(z) - log_h).exp() / deviation
    per_variance = (-0.5 * z.square() - LOG_ROOT_2PI - log_h).exp() / (2.0 * variance)
    return log_h + deviation.log(), per_mean[:, :, None] * by_mean + per_variance[:, :, None] * by_variance


def _slopes(posterior: Posterior, X: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean and variance as `predict` has them, and their gradients, each of shape (B, m, d)."""
    kernel = posterior.kernel
    cross, tangent = kernel.family.value_and_tangent(squared_distances(posterior.X, X, kernel))
    cross, tangent = (part * kernel.outputscale[:, None, None] for part in (cross, tangent))
    mean = posterior.mean[:, None] + torch.bmm(posterior.weights[:, None, :], cross)[:, 0]
    white = torch.bmm(posterior.whitener, cross)
    variance = (kernel.outputscale[:, None] - white.square().sum(1)).clamp_min(LEAST_VARIANCE)
    # The derivative of cross by a coordinate is -tangent * (x - X_i) / lengthscale^2: a product of two matrices.
    pull = posterior.weights[:, :, None] * tangent, -2.0 * torch.bmm(posterior.whitener.mT, white) * tangent
    by_mean, by_variance = (
        (torch.bmm(part.mT, posterior.X) - part.sum(1)[:, :, None] * X) / kernel.lengthscale.square()[:, None, :]
        for part in pull
    )
    return mean, variance, by_mean, by_variance
