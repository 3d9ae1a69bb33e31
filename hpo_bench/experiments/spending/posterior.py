"""What the answers of a few settings say about all of them: one batched Gaussian process for many draws."""

import numpy as np
import torch
from numpy.typing import NDArray

from optimizers.gp.fit import fit_map, hyperparameters, typical
from optimizers.gp.kernels import Priors
from optimizers.gp.model import standardised
from optimizers.gp.posterior import Posterior

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
    found, priors = [], Priors()
    for first in range(0, len(X), BATCH):
        rows = slice(first, first + BATCH)
        y, offset, scale = standardised(scores[rows])
        points, told, noise = (torch.from_numpy(np.array(a)) for a in (X[rows], y, np.square(errors[rows] / scale)))
        start = typical(X.shape[2]).expand(1, len(points), -1)
        kernel = hyperparameters(fit_map(points, told, noise, start, priors), priors)
        found.append(offset + scale * Posterior.fit(points, told, noise, kernel).predict(points)[0].numpy())
    return np.concatenate(found)


def errors_of(scores: Array, examples: NDArray[np.int64]) -> Array:
    """Standard errors of shares of right answers, as if two more examples had been right and two wrong."""
    return np.sqrt((examples * scores * (1 - scores) + 2 * scores**2 + 2 * (1 - scores) ** 2) / examples**2)
