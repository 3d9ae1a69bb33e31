"""GP-BO with one choice made otherwise: what was tried and is not the default."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, pi, sqrt

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from torch import Tensor

from hpo_bench.errors import UsageError
from hpo_bench.experiments.ablation.run import Arm
from optimizers.base import Point
from optimizers.gp.acquisition import Acquisition, Draws, Effort, LogExpectedImprovement, log_improvement
from optimizers.gp.kernels import Gamma, Kernel, Priors
from optimizers.gp.knowledge import Knowledge
from optimizers.gp.posterior import Hyperparameters, Posterior, covariance
from optimizers.gp_bo import GpBo
from surrogates.spelling import offer

ROOT3 = sqrt(3.0)


class Matern32(Kernel):
    """The Matérn kernel of smoothness 3/2: differentiable once."""

    @staticmethod
    def value(squares: Tensor) -> Tensor:
        """See `Kernel`."""
        scaled = squares.sqrt_().mul_(ROOT3)
        return (-scaled).exp_().mul_(scaled.add_(1.0))

    @staticmethod
    def value_and_tangent(squares: Tensor) -> tuple[Tensor, Tensor]:
        """See `Kernel`."""
        scaled = squares.sqrt_().mul_(ROOT3)
        decay = (-scaled).exp_()
        return decay * (1.0 + scaled), 3.0 * decay


class SquaredExponential(Kernel):
    """The squared exponential kernel, alias RBF: infinitely smooth."""

    @staticmethod
    def value(squares: Tensor) -> Tensor:
        """See `Kernel`."""
        return squares.mul_(-0.5).exp_()

    @staticmethod
    def value_and_tangent(squares: Tensor) -> tuple[Tensor, Tensor]:
        """See `Kernel`."""
        value = squares.mul_(-0.5).exp_()
        return value, value.clone()


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal distribution, with the same face as `Gamma`."""

    location: float
    scale: float

    def log_density(self, value: Tensor, log_value: Tensor) -> Tensor:
        """The log density at positive values."""
        z = (log_value - self.location) / self.scale
        return -0.5 * z.square() - log_value - log(self.scale * sqrt(2.0 * pi))

    def slope(self, value: Tensor) -> Tensor:
        """The derivative of the log density by the logarithm of the value."""
        return -(value.log() - self.location) / self.scale**2 - 1.0


@dataclass(frozen=True, slots=True)
class UpperConfidenceBound:
    """Mean plus so many standard deviations (Srinivas et al., 2010).

    Attributes:
        posterior: What is known.
        width: How many.
    """

    posterior: Posterior
    width: float

    def __call__(self, X: Tensor) -> Tensor:
        """Values of shape (B, m) at points of shape (B, m, d)."""
        mean, variance = self.posterior.predict(X)
        return mean + self.width * variance.sqrt()


class ThreeHalves(GpBo):
    """Matérn-3/2 instead of 5/2."""

    priors = Priors(kernel=Matern32())


class Smooth(GpBo):
    """A squared exponential kernel."""

    priors = Priors(kernel=SquaredExponential())


class Hvarfner(GpBo):
    """BoTorch's default since 0.12: length scales that grow with the dimension, output scale 1, little noise.

    Hvarfner, Hellsten & Nardi, "Vanilla Bayesian optimization performs great in high dimensions" (2024); here in the
    two or three dimensions of `dim`, with the squared exponential kernel that comes with it.
    """

    parallel = False

    @classmethod
    def _learn(cls, optimizers: Sequence[GpBo], known: Knowledge) -> Hyperparameters:
        cls.priors = cls.priors_in(known.X.shape[2])
        return super()._learn(optimizers, known)

    @staticmethod
    def priors_in(dim: int) -> Priors:
        """The priors in so many dimensions; the output scale is all but fixed."""
        return Priors(
            kernel=SquaredExponential(),
            lengthscale=LogNormal(sqrt(2.0) + 0.5 * log(dim), sqrt(3.0)),
            outputscale=Gamma(1e4, 1e4),
            noise=LogNormal(-4.0, 1.0),
        )


class InitialTwo(GpBo):
    """Two points of the initial design instead of four."""

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start, initial=2)


class InitialEight(GpBo):
    """Eight points of the initial design instead of four."""

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start, initial=8)


class Upper(GpBo):
    """Upper confidence bound, two standard deviations wide."""

    @classmethod
    def _acquisition(cls, optimizers: Sequence[GpBo], posterior: Posterior, incumbent: Tensor) -> Acquisition:
        return UpperConfidenceBound(posterior, 2.0)


class Exploits(GpBo):
    """The last tenth of the budget goes to the highest posterior mean."""

    @classmethod
    def _acquisition(cls, optimizers: Sequence[GpBo], posterior: Posterior, incumbent: Tensor) -> Acquisition:
        if optimizers[0].asked >= 0.9 * optimizers[0].budget:
            # Not quite the mean, so that known points, where it is highest but nothing is to be learnt, do not win.
            return UpperConfidenceBound(posterior, 0.1)
        return super()._acquisition(optimizers, posterior, incumbent)


class Polished(GpBo):
    """Two clouds, then gradient ascent from their best point."""

    effort = replace(Effort(), radii=(0.1, 0.03))

    @classmethod
    def _maximise(cls, acquisition: Acquisition, incumbent: Tensor, draws: Draws) -> Tensor:
        found = super()._maximise(acquisition, incumbent, draws)
        if isinstance(acquisition, LogExpectedImprovement):
            for row, x in enumerate(found):
                own = slice(row, row + 1)
                x.copy_(climb(LogExpectedImprovement(acquisition.posterior.rows(own), acquisition.incumbent[own]), x))
        return found


def climb(acquisition: Acquisition, x: Tensor) -> Tensor:
    """The end of an ascent of a single run's acquisition from a point of shape (d,), by L-BFGS-B in the unit cube."""

    def loss(point: NDArray[np.float64]) -> float:
        return -acquisition(torch.from_numpy(point)[None, None]).clamp_min(-1e6).item()

    found = minimize(loss, x.numpy(), method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(x), options={"maxiter": 20})
    return torch.from_numpy(found.x)


class Twice(GpBo):
    """Twice the candidates and twice the lineages."""

    effort = replace(Effort(), uniform=1600, near=400, lineages=8)


@dataclass(frozen=True, slots=True)
class LogPairedImprovement:
    """Log expected improvement on the score of the best point, which is itself uncertain, and goes with the others.

    With one Gaussian the noisy expected improvement of Letham, Karrer, Ottoni & Bakshy (2019) has a closed form, if the
    best point is the one that is believed to be worth most instead of another one in every draw.

    Attributes:
        posterior: What is known.
        best: That point, of shape (B, 1, d).
    """

    posterior: Posterior
    best: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Values of shape (B, m) at points of shape (B, m, d)."""
        p = self.posterior
        mean, variance = p.predict(X)
        best_mean, best_variance = p.predict(self.best)
        white, white_best = (torch.bmm(p.whitener, covariance(p.X, places, p.kernel)) for places in (X, self.best))
        shared = covariance(self.best, X, p.kernel)[:, 0] - (white * white_best).sum(1)
        deviation = (variance + best_variance - 2.0 * shared).clamp_min(1e-12).sqrt()
        return log_improvement((mean - best_mean) / deviation) + deviation.log()


class Paired(GpBo):
    """Improvement on the uncertain score of the best point, not on what is believed of it."""

    @classmethod
    def _acquisition(cls, optimizers: Sequence[GpBo], posterior: Posterior, incumbent: Tensor) -> Acquisition:
        index = posterior.predict(posterior.X)[0].argmax(1)
        return LogPairedImprovement(posterior, posterior.X[torch.arange(len(index)), index][:, None, :])


class Smoothed(GpBo):
    """All noise that is learnt is luck: a point is believed to be worth its posterior mean."""

    @classmethod
    def _worth(cls, posterior: Posterior, known: Knowledge) -> Tensor:
        return posterior.predict(known.X)[0]


class Luckiest(GpBo):
    """Recommends the highest score told, noise and all."""

    def recommend(self) -> Point:
        """See `Optimizer`."""
        return self._X[self._highest()]


class KnownOnly(GpBo):
    """Where standard errors are told, no noise but theirs."""

    priors = Priors(noise=Gamma(1.0, 1e4))


class Unaware(GpBo):
    """Standard errors are not heeded: the noise is learnt from the scores."""

    @classmethod
    def _learn(cls, optimizers: Sequence[GpBo], known: Knowledge) -> Hyperparameters:
        known.noise.zero_()
        known.told.zero_()
        return super()._learn(optimizers, known)


DEFAULT = "default"

ARMS = {
    arm.name: arm
    for arm in (
        Arm(DEFAULT, GpBo, "GP-BO as it is"),
        Arm("matern-3/2", ThreeHalves, "kernel"),
        Arm("rbf", Smooth, "kernel"),
        Arm("botorch-priors", Hvarfner, "kernel and priors"),
        Arm("initial-2", InitialTwo, "initial design"),
        Arm("initial-8", InitialEight, "initial design"),
        Arm("centre", GpBo, "start at the centre: knowledge about the box", start="center"),
        Arm("ucb", Upper, "acquisition"),
        Arm("paired-ei", Paired, "acquisition under noise"),
        Arm("ascent", Polished, "search: gradient ascent in place of the last clouds"),
        Arm("twice", Twice, "search: twice the candidates"),
        Arm("exploit", Exploits, "the last tenth of the budget at the highest mean"),
        Arm("smoothed", Smoothed, "noise: beyond the told errors it is luck, not roughness"),
        Arm("known-only", KnownOnly, "noise: told standard errors, none learnt"),
        Arm("unaware", Unaware, "noise: learnt, standard errors not heeded"),
        Arm("luckiest", Luckiest, "recommends the highest score told"),
    )
}
"""By name; the first is what the others are compared with."""


def chosen(names: tuple[str, ...]) -> list[Arm]:
    """The arms of these names, the default first; all of them if none is named.

    Raises:
        UsageError: If there is no such arm.
    """
    for name in names:
        if name not in ARMS:
            raise UsageError(f"there is no arm called {name!r}; {offer(name, ARMS)}")
    return [arm for name, arm in ARMS.items() if not names or name in names or name == DEFAULT]
