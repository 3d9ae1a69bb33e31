"""Log expected improvement, and the search for its maximum."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi
from typing import Self

import numpy as np
import torch
from botorch.utils.probability.utils import log_phi, ndtr, phi
from botorch.utils.safe_math import log1mexp
from torch import Tensor
from torch.special import erfcx

from optimizers.gp.posterior import Posterior

# Points closer than this, along every axis, count as the same: no better score is to be had so near.
SEPARATION = 1e-4
FARTHEST = -1e6
LOG_ROOT_HALF_PI = log(pi / 2.0) / 2.0
Acquisition = Callable[[Tensor], Tensor]
"""How much it is worth to evaluate somewhere: values of shape (B, m) at points of shape (B, m, d)."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to search for the best place.

    Attributes:
        uniform: Candidates spread over the cube.
        near: Candidates near the incumbent.
        span: Their distances, as the least and the largest standard deviation, in edges of the cube.
        lineages: How many of the best candidates are refined.
        cloud: Points around each of them in every round.
        radii: Standard deviations of the clouds, round by round, in edges of the cube.
    """

    uniform: int = 800
    near: int = 200
    span: tuple[float, float] = (0.0015, 0.1)
    lineages: int = 4
    cloud: int = 25
    radii: tuple[float, ...] = (0.1, 0.035, 0.012, 0.004, 0.0015)


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one search of each of B runs.

    Attributes:
        uniform: Of shape (B, uniform, d), from 0 to 1.
        near: Offsets from the incumbent, of shape (B, near, d).
        clouds: Offsets round by round, of shape (rounds, B, lineages, cloud, d).
    """

    uniform: Tensor
    near: Tensor
    clouds: Tensor

    @classmethod
    def of(cls, generators: list[np.random.Generator], dim: int, effort: Effort) -> Self:
        """Draws from the runs' own generators, so that no run's numbers depend on its company."""
        shape = (len(effort.radii), effort.lineages, effort.cloud, dim)
        uniform = np.stack([g.random((effort.uniform, dim)) for g in generators])
        radius = np.geomspace(*effort.span, effort.near)[:, None]
        near = np.stack([radius * g.standard_normal((effort.near, dim)) for g in generators])
        clouds = np.stack([g.standard_normal(shape) for g in generators], axis=1)
        clouds *= np.array(effort.radii)[:, None, None, None, None]
        return cls(torch.from_numpy(uniform), torch.from_numpy(near), torch.from_numpy(clouds))


@dataclass(frozen=True, slots=True)
class LogExpectedImprovement:
    """Logarithm of the expected improvement.

    Attributes:
        posterior: What is known.
        incumbent: What is to be improved on, of shape (B,).
    """

    posterior: Posterior
    incumbent: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Values of shape (B, m) at X of shape (B, m, d); minus infinity where a score is known already."""
        mean, variance = self.posterior.predict(X)
        deviation = variance.sqrt_()
        value = log_improvement((mean - self.incumbent[:, None]) / deviation) + deviation.log()
        return value.masked_fill_(separation(X, self.posterior.X) < SEPARATION, -torch.inf)


def log_improvement(z: Tensor) -> Tensor:
    """Logarithm of the expected improvement on -z by a standard normal variable, log(phi(z) + z Phi(z)).

    Accurate where the improvement itself vanishes (Ament et al., "Unexpected improvements to expected improvement for
    Bayesian optimization", 2023, equation 9). BoTorch has it for its own models only, in which runs do not march in
    lockstep.

    Args:
        z: How far means are above the incumbent, in standard deviations; of any shape, in double precision.

    Returns:
        Values of the shape of z.
    """
    near, far = z.clamp_min(-1.0), z.clamp_max(-1.0)
    # log |z| Phi(z) / phi(z), whose distance to 0 is lost where z^-2 is below the machine's precision.
    within = far.clamp_min(FARTHEST)
    ratio = (erfcx(-(0.5**0.5) * within) * within.abs()).log() + LOG_ROOT_HALF_PI
    shortfall = torch.where(z > FARTHEST, log1mexp(ratio), -2.0 * far.abs().log())
    return torch.where(z > -1.0, (phi(near) + near * ndtr(near)).log(), log_phi(z) + shortfall)


def maximise(acquisition: Acquisition, incumbent: Tensor, draws: Draws) -> Tensor:
    """The best of many candidates, refined in shrinking clouds around several of them.

    Gradient ascent after two clouds, or in place of all, gains nothing: it ends as near to the maximum, and takes its
    evaluations one after the other (`docs/optimisers.md`). Clouds cannot leave the cube nor step on a kink, either.

    Args:
        acquisition: What to maximise.
        incumbent: Best point so far, of shape (B, d).
        draws: Random numbers.

    Returns:
        Points of shape (B, d).
    """
    near = (incumbent[:, None, :] + draws.near).clamp_(0.0, 1.0)
    candidates = torch.cat((draws.uniform, near), dim=1)
    B, _, d = candidates.shape
    rows = torch.arange(B)[:, None]
    L = draws.clouds.shape[2]
    best, index = acquisition(candidates).topk(L, dim=1)
    centres = candidates[rows, index]
    for offsets in draws.clouds:
        cloud = (centres[:, :, None, :] + offsets).clamp_(0.0, 1.0)
        values, index = acquisition(cloud.flatten(1, 2)).view(B, L, -1).max(2)
        found = cloud.gather(2, index[:, :, None, None].expand(-1, -1, 1, d))[:, :, 0]
        better = values > best
        centres = torch.where(better[:, :, None], found, centres)
        best = torch.where(better, values, best)
    return centres[rows[:, 0], best.argmax(1)]


def separation(X: Tensor, taken: Tensor) -> Tensor:
    """How far each point of X (B, m, d) is from the nearest taken one (B, n, d), along its widest axis; (B, m)."""
    gap = (X[:, :, 0, None] - taken[:, None, :, 0]).abs_()
    for axis in range(1, X.shape[2]):
        gap = torch.maximum(gap, (X[:, :, axis, None] - taken[:, None, :, axis]).abs_())
    return gap.amin(2)
