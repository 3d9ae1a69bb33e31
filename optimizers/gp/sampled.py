"""BoTorch's acquisition functions that draw from a joint posterior: beside points that are pending, and for fronts."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogNoisyExpectedImprovement, qLogProbabilityOfFeasibility
from botorch.acquisition.objective import GenericMCObjective
from botorch.exceptions.warnings import BotorchWarning
from botorch.models import ModelListGP, SingleTaskGP
from botorch.sampling import MCSampler, SobolQMCNormalSampler
from botorch.utils.sampling import manual_seed
from linear_operator.utils.warnings import NumericalWarning
from torch import Tensor

from optimizers.gp.acquisition import SEPARATION, Draws, Effort, maximise, separation
from optimizers.gp.model import Model

Build = Callable[[MCSampler], AcquisitionFunction]
"""Makes an acquisition function, given what draws from the posterior."""


def maximum(
    build: Build,
    *,
    samples: int,
    centres: Tensor,
    taken: Tensor,
    generator: np.random.Generator,
    effort: Effort,
) -> Tensor:
    """Where an acquisition function is highest, by `maximise`, of shape (d,); of a single run, as BoTorch's models are.

    Args:
        build: Makes it.
        samples: How many draws.
        centres: Points of shape (c, d), near which there are candidates, near each in turn.
        taken: Points of shape (n, d) that are told or pending, which are not proposed again.
        generator: Seeds the draws, and has the candidates.
        effort: How hard to search.
    """
    seed = int(generator.integers(2**31))

    def acquisition(X: Tensor) -> Tensor:
        return value(X[0][:, None])[None].masked_fill_(separation(X, taken[None]) < SEPARATION, -torch.inf)

    with manual_seed(seed), warnings.catch_warnings():  # pruning draws from the global generator
        # Of gradients that vanish, and nobody follows any; of jitter beside points that are known exactly.
        for harmless in (BotorchWarning, NumericalWarning):
            warnings.simplefilter("ignore", harmless)
        value = build(SobolQMCNormalSampler(torch.Size([samples]), seed=seed))
        draws = Draws.of([generator], centres.shape[1], effort)
        near = centres[torch.arange(effort.near) % len(centres)] + draws.near
        return maximise(acquisition, torch.zeros_like(centres[:1]), replace(draws, near=near))[0]


def noisy_improvement(score: Model, margin: Model | None, known: Tensor, pending: Tensor) -> Build:
    """Makes BoTorch's log noisy expected improvement beside pending points (Ament et al., 2023).

    That is on the best of the known and the pending points, whatever these are really worth; where margins are told, on
    the best that is feasible, times the probability of being so (Letham et al., 2019).

    Args:
        score: What is believed of the scores.
        margin: What is believed of the margins, feasible from 0 up; None if there is no constraint.
        known: Points with a score, of shape (n, d).
        pending: Points without one yet, of shape (k, d).
    """
    if margin is None:
        return lambda sampler: qLogNoisyExpectedImprovement(
            _standard(score), X_baseline=known, sampler=sampler, X_pending=pending, prune_baseline=True
        )
    return lambda sampler: qLogNoisyExpectedImprovement(
        ModelListGP(_standard(score), _standard(margin)),
        X_baseline=known,
        sampler=sampler,
        objective=GenericMCObjective(lambda drawn, X=None: drawn[..., 0]),
        constraints=[lambda drawn: -drawn[..., 1] - margin.offset / margin.scale],
        X_pending=pending,
        prune_baseline=True,
    )


def feasibility(margin: Model, pending: Tensor) -> Build:
    """Makes BoTorch's log probability that a point or one of those pending is feasible: while nothing known is.

    Args:
        margin: What is believed of the margins, feasible from 0 up.
        pending: Points without one yet, of shape (k, d).
    """
    below = [lambda drawn: -drawn[..., 0] - margin.offset / margin.scale]
    return lambda sampler: qLogProbabilityOfFeasibility(
        _standard(margin), constraints=below, sampler=sampler, X_pending=pending
    )


def _standard(model: Model) -> SingleTaskGP:
    """In standardised units: BoTorch's smoothing, of improvements and of limits, is meant for values of about 1."""
    return replace(model, offset=0.0, scale=1.0).botorch()
