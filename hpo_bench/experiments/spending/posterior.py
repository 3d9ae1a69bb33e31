"""What the answers of a few settings say about all of them: one batched Gaussian process for many draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from optimizers.gp.fit import fit_map, hyperparameters, typical
from optimizers.gp.kernels import Priors
from optimizers.gp.model import standardised
from optimizers.gp.posterior import Posterior, covariance

Array = NDArray[np.float64]
BATCH = 128


@torch.no_grad()
def means(X: Array, scores: Array, errors: Array) -> Array:
    """Posterior means of GP-BO's model at the very settings that were scored.

    Args:
        X: Settings in the unit cube, of shape (B, n, d).
        scores: Their scores, of shape (B, n).
        errors: Their standard errors, of shape (B, n).

    Returns:
        Means in the units of the scores, of shape (B, n).
    """
    if X.shape[1] < 3:  # too few for a model
        return scores
    found = [
        fit.offset + fit.scale * fit.posterior.predict(fit.posterior.X)[0].numpy() for fit in _fits(X, scores, errors)
    ]
    return np.concatenate(found)


@torch.no_grad()
def gains(X: Array, scores: Array, errors: Array, boxes: Sequence[Array]) -> Array:
    """What one more setting is expected to add to the score of the one that is recommended.

    The knowledge gradient (Frazier, Powell and Dayanik, 2009) of each setting of the box beside the recommended one
    alone: how much the posterior mean of the better of the two is expected to rise when the new one is scored.

    Args:
        X: Settings in the unit cube, of shape (B, n, d), n at least 3.
        scores: Their scores, of shape (B, n).
        errors: Their standard errors, of shape (B, n).
        boxes: For each data set the settings that could be scored, of shape (m, d).

    Returns:
        The largest gain of each data set, in the units of the scores, of shape (B,).
    """
    found = []
    for fit in _fits(X, scores, errors):
        best = fit.posterior.predict(fit.posterior.X)[0].argmax(1)
        for at in range(len(best)):
            row = fit.posterior.rows(slice(at, at + 1))
            box = torch.from_numpy(np.array(boxes[len(found)]))[None]
            held = row.X[:, best[at] : best[at] + 1]
            places = torch.cat((held, box), 1)
            mean, variance = row.predict(places)
            white = torch.bmm(row.whitener, covariance(row.X, places, row.kernel))
            shared = covariance(places, held, row.kernel)[0, :, 0] - (white * white[:, :, :1]).sum(1)[0]
            seen = variance[0] + fit.noise[at].mean() + row.kernel.noise[0]
            moves = ((variance[0] - shared).abs() / seen.sqrt())[1:].clamp_min(1e-12).numpy()
            ahead = (mean[0, 1:] - mean[0, 0]).numpy()
            z = ahead / moves
            gained = ahead * ndtr(z) + moves * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
            found.append(float(gained.max() * fit.scale[at, 0]))
    return np.array(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A batch of models, the noise that was told, and the units of the scores."""

    posterior: Posterior
    noise: torch.Tensor
    offset: Array
    scale: Array


def _fits(X: Array, scores: Array, errors: Array) -> Iterator[_Fit]:
    for first in range(0, len(X), BATCH):
        rows = slice(first, first + BATCH)
        y, offset, scale = standardised(scores[rows])
        points, told, noise = (torch.from_numpy(np.array(a)) for a in (X[rows], y, np.square(errors[rows] / scale)))
        priors = Priors()
        start = typical(X.shape[2]).expand(1, len(points), -1)
        kernel = hyperparameters(fit_map(points, told, noise, start, priors), priors)
        yield _Fit(Posterior.fit(points, told, noise, kernel), noise, offset, scale)


def errors_of(scores: Array, examples: NDArray[np.int64]) -> Array:
    """Standard errors of shares of right answers, as if two more examples had been right and two wrong."""
    return np.sqrt((examples * scores * (1 - scores) + 2 * scores**2 + 2 * (1 - scores) ** 2) / examples**2)
