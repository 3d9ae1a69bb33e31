"""One data set and its Gaussian process, in the units of the scores."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from botorch.models import SingleTaskGP
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from optimizers.errors import InvalidSettingError
from optimizers.gp.fit import fit_map, hyperparameters, typical
from optimizers.gp.kernels import Priors
from optimizers.gp.posterior import Posterior
from optimizers.gp.reference import fixed, in_units, reference
from optimizers.options import refuse_names

Array = NDArray[np.float64]

ROUNDING = 16 * np.finfo(np.float64).eps
"""Scores whose range is a smaller share of the largest are equal but for rounding."""
COARSER = 10
"""What scores have in common is rounded to their range times about two to this power."""


@dataclass(frozen=True, slots=True)
class Model:
    """What evaluations tell about the whole cube, whichever optimiser chose them.

    The model of GP-BO: Matern-5/2 kernel with a length scale an axis, constant mean, all at their maximum a posteriori
    (Rasmussen & Williams, 2006, chapters 2 and 5). Known standard errors add to the diagonal of the covariance, point
    by point, beside the learnt noise that all scores share.

    Attributes:
        posterior: The process of the standardised scores.
        scores: Those, of shape (1, n).
        noise: Their known noise variances, of shape (1, n), zero where nothing is known.
        offset: Mean of the scores, which is 0 in standardised units.
        scale: Their standard deviation, which is 1.
        priors: Of the hyperparameters.
    """

    posterior: Posterior
    scores: Tensor
    noise: Tensor
    offset: float
    scale: float
    priors: Priors

    @classmethod
    def fit(
        cls, X: ArrayLike, y: ArrayLike, standard_errors: ArrayLike | None = None, *, priors: Priors | None = None
    ) -> Self:
        """The model of scores.

        Args:
            X: Points in the unit cube, of shape (n, d).
            y: Their scores, of shape (n,), all finite: failed evaluations are the caller's to leave out.
            standard_errors: Standard errors of the scores, of shape (n,), in their units; NaN where unknown.
            priors: Of the hyperparameters; GP-BO's by default.

        Raises:
            InvalidSettingError: If the shapes disagree, there is no point, a number is not finite, a point lies outside
                the cube, or a standard error is negative.
        """
        refuse_names("points", X)
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        errors = np.zeros(y.shape) if standard_errors is None else np.asarray(standard_errors, dtype=np.float64)
        if X.ndim != 2 or not X.size or y.shape != X.shape[:1] or errors.shape != y.shape:
            raise InvalidSettingError(
                f"a model needs points of shape (n, d) with scores and standard errors of shape (n,), "
                f"not {X.shape}, {y.shape} and {errors.shape}"
            )
        if not np.isfinite(y).all():
            raise InvalidSettingError("every score must be finite; leave out the evaluations that failed")
        if not np.all((X >= 0.0) & (X <= 1.0)):
            raise InvalidSettingError("every point must lie in the unit cube")
        if np.isinf(errors).any() or (errors < 0.0).any():
            raise InvalidSettingError("every standard error must be 0 or more and finite, or NaN where it is unknown")
        priors = priors or Priors()
        standard, offset, scale = standardised(y[None])
        with np.errstate(over="ignore"):  # an infinite variance says rightly that nothing was learnt
            known = np.square(np.nan_to_num(errors) / scale)
        points, scores, noise = (torch.from_numpy(np.array(array)) for array in (X[None], standard, known))
        parameters = fit_map(points, scores, noise, typical(X.shape[1]).expand(1, 1, -1), priors)
        posterior = Posterior.fit(points, scores, noise, hyperparameters(parameters, priors))
        return cls(posterior, scores, noise, offset.item(), scale.item(), priors)

    def botorch(self) -> SingleTaskGP:
        """The same as BoTorch's own model, for its acquisition functions and whatever else works on its models.

        Returns:
            A model that predicts scores in their units, at points of the unit cube; its hyperparameters are fixed.

        Raises:
            InvalidSettingError: If the kernel is not Matern-5/2 or a prior no Gamma distribution.
        """
        model = reference(self.posterior.X[0], self.scores[0], self.noise[0], self.priors)
        return in_units(fixed(model, self.posterior.kernel, self.posterior.mean), self.offset, self.scale)

    @torch.no_grad()
    def predict(self, X: ArrayLike) -> tuple[Array, Array]:
        """What the score would be without noise, and how sure that is.

        Args:
            X: Points of shape (m, d).

        Returns:
            Means and standard deviations, each of shape (m,), in the units of the scores.

        Raises:
            InvalidSettingError: If the points have the wrong number of dimensions, or name their coordinates.
        """
        refuse_names("points", X)
        X = np.array(X, dtype=np.float64)
        d = self.posterior.X.shape[2]
        if X.ndim != 2 or X.shape[1] != d:
            raise InvalidSettingError(f"points must have the shape (m, {d}), not {X.shape}")
        mean, variance = self.posterior.predict(torch.from_numpy(X[None]))
        return self.offset + self.scale * mean[0].numpy(), self.scale * variance[0].sqrt().numpy()


def standardised(scores: Array) -> tuple[Array, Array, Array]:
    """Scores with mean 0 and variance 1 in each data set.

    Args:
        scores: Of shape (B, n).

    Returns:
        The same in standardised units, and the means and standard deviations, of shape (B, 1), that were taken out.
    """
    # By a power of two, which rounds nothing, so that the squares of huge or tiny scores neither over- nor underflow.
    most = np.abs(scores).max(axis=1, keepdims=True)
    _, exponent = np.frexp(most)
    scaled = np.ldexp(scores, -exponent)
    # What all have in common goes, as far as it is exact to take it away: beside it, means and squares would be
    # rounded. Under 500 times their range it stays as it is.
    high, low = scaled.max(axis=1, keepdims=True), scaled.min(axis=1, keepdims=True)
    _, grain = np.frexp(high - low)
    common = np.ldexp(np.rint(np.ldexp((high + low) / 2, -grain - COARSER)), grain + COARSER)
    scaled = scaled - common
    mean = scaled.mean(axis=1, keepdims=True)
    spread = scaled.std(axis=1, ddof=1, keepdims=True) if scores.shape[1] > 1 else np.zeros_like(mean)
    # Equal scores have no scale; dividing by their rounding errors would make one up.
    known = high - low > ROUNDING
    standard = (scaled - mean) / np.where(known, spread, 1.0)
    return standard, np.ldexp(common + mean, exponent), np.where(known, np.ldexp(spread, exponent), 1.0)
