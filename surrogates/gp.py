"""A Gaussian process through the recorded points, which smooths their noise away instead of going through it."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from surrogates.base import Surrogate
from surrogates.errors import InvalidDataError
from surrogates.scale import are_equal

Array = NDArray[np.float64]

LENGTHS = (0.05, 10.0)
"""Bounds of the length scales, in sides of the unit cube: from a quarter of a grid step to a plane."""
SIGNALS = (1e-2, 1e2)
"""Bounds of the signal's variance, in variances of the scores."""
NOISES = (1e-8, 1.0)
"""Bounds of the noise's variance, in variances of the scores."""


class GPSurrogate(Surrogate):
    """The posterior mean of a Gaussian process: Matern-5/2 with a length scale an axis, and noise.

    All hyperparameters are at their maximum of the marginal likelihood. The mean is that of the scores. Unlike an RBF
    interpolant it does not go through noisy scores, so that it is a second opinion on which bumps are real.

    Sources: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006): section 2.2 for prediction, 5.4.1
    for the marginal likelihood, 5.4.2 for leave-one-out in closed form.
    """

    @property
    def settings(self) -> Mapping[str, object]:
        """Kernel and bounds of its hyperparameters."""
        return {
            "kernel": "gp",
            "covariance": "matern52",
            "lengths": list(LENGTHS),
            "signals": list(SIGNALS),
            "noises": list(NOISES),
        }

    def least_points(self, dim: int) -> int:
        """Two points an axis more than one: fewer do not tell a length scale from noise."""
        return 2 * dim + 2

    def _fit(self, X: Array, y: Array) -> None:
        self._centre, self._spread = float(y.mean()), 1.0 if are_equal(y) else float(y.std())
        signal: Any = ConstantKernel(1.0, SIGNALS) * Matern([0.5] * X.shape[1], LENGTHS, nu=2.5)
        kernel = signal + WhiteKernel(0.01, NOISES)
        # No random restarts: the surrogate is a property of the scores and must not vary between calls.
        regressor = GaussianProcessRegressor(kernel, alpha=1e-10)
        found = _quietly(regressor, X, (y - self._centre) / self._spread)
        # Noise belongs to the recorded scores and not to the function that they sample.
        self._covariance = found.k1
        try:
            self._factor = cholesky(found(X) + 1e-10 * np.eye(len(X)), lower=True)
        except LinAlgError as error:
            raise InvalidDataError(f"the points do not determine a Gaussian process ({error})") from error
        self._coefficients = cho_solve((self._factor, True), y - self._centre)

    def _predict(self, X: Array) -> Array:
        known, _ = self._data()
        return self._centre + np.asarray(self._covariance(X, known)) @ self._coefficients

    def _std(self, X: Array) -> Array:
        """Rasmussen and Williams (2006), eq. 2.26, hyperparameters and mean held fixed."""
        known, _ = self._data()
        white = solve_triangular(self._factor, np.asarray(self._covariance(known, X)), lower=True)
        # Rounding may push it below zero where a score is known.
        variance = np.maximum(self._covariance.diag(X) - np.square(white).sum(axis=0), 0.0)
        return self._spread * np.sqrt(variance)

    def _weights(self, X: Array) -> Array:
        known, _ = self._data()
        weights = cho_solve((self._factor, True), np.asarray(self._covariance(X, known)).T).T
        # The mean, too, is made of scores.
        return weights + (1 - weights.sum(axis=1, keepdims=True)) / len(known)

    def _loo_residuals(self, X: Array, y: Array) -> Array:
        """[K^-1 y]_i / [K^-1]_ii (Rasmussen and Williams 2006, eq. 5.12), hyperparameters and mean held fixed."""
        inverse = cho_solve((self._factor, True), np.eye(len(X)))
        return self._coefficients / np.diag(inverse)


def _quietly(regressor: GaussianProcessRegressor, X: Array, y: Array) -> Any:
    """Fit, and give the kernel with its best hyperparameters; that one is at its bound is no news to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return regressor.fit(X, y).kernel_
