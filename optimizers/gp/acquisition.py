"""Log expected improvement, and the search for its maximum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from botorch.acquisition.analytic import _log_ei_helper
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to search for the best place.

    Attributes:
        uniform: Candidates spread over the cube.
        near: Candidates near the incumbent, at distances from the last cloud's to the first's.
        lineages: How many of the best candidates are refined.
        cloud: Points around each of them in every round.
        radii: Standard deviations of the clouds, round by round, in edges of the cube.
    """

    uniform: int = 800
    near: int = 200
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
        radius = np.geomspace(effort.radii[-1], effort.radii[0], effort.near)[:, None]
        near = np.stack([radius * g.standard_normal((effort.near, dim)) for g in generators])
        clouds = np.stack([g.standard_normal(shape) for g in generators], axis=1)
        clouds *= np.array(effort.radii)[:, None, None, None, None]
        return cls(torch.from_numpy(uniform), torch.from_numpy(near), torch.from_numpy(clouds))


def log_expected_improvement(mean: Tensor, variance: Tensor, incumbent: Tensor) -> Tensor:
    """Logarithm of the expected improvement (Ament et al., 2023, equation 9), by BoTorch's stable helper.

    Args:
        mean: Posterior means, of shape (B, m).
        variance: Posterior variances, of shape (B, m).
        incumbent: What is to be improved on, of shape (B,).

    Returns:
        Of shape (B, m).
    """
    deviation = variance.sqrt()
    return _log_ei_helper((mean - incumbent[:, None]) / deviation) + deviation.log()


def maximise(acquisition: Callable[[Tensor], Tensor], incumbent: Tensor, draws: Draws) -> Tensor:
    """The best of many candidates, refined in shrinking clouds around several of them.

    Gradient ascent would need the same posterior evaluations one after the other; clouds take them in a few large
    batches, which is what makes runs in lockstep cheap, and they cannot leave the cube or step on a kink.

    Args:
        acquisition: Values of shape (B, m) at points of shape (B, m, d).
        incumbent: Best point so far, of shape (B, d).
        draws: Random numbers.

    Returns:
        Points of shape (B, d).
    """
    near = (incumbent[:, None, :] + draws.near).clamp_(0.0, 1.0)
    candidates = torch.cat((draws.uniform, near), dim=1)
    B, _, d = candidates.shape
    rows = torch.arange(B)[:, None]
    best, index = acquisition(candidates).topk(draws.clouds.shape[2], dim=1)
    centres = candidates[rows, index]
    for offsets in draws.clouds:
        cloud = (centres[:, :, None, :] + offsets).clamp_(0.0, 1.0)
        values, index = acquisition(cloud.flatten(1, 2)).view(B, len(best[0]), -1).max(2)
        found = cloud.gather(2, index[:, :, None, None].expand(-1, -1, 1, d))[:, :, 0]
        better = values > best
        centres = torch.where(better[:, :, None], found, centres)
        best = torch.where(better, values, best)
    return centres[rows[:, 0], best.argmax(1)]
