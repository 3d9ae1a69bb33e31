"""The Gaussian process itself: stationary kernel, constant mean, exact prediction."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from optimizers.gp.kernels import Kernel

LEAST_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """The kernel of each data set.

    Attributes:
        family: What kind of kernel.
        lengthscale: Of shape (B, d), in edges of the cube.
        outputscale: Signal variance, of shape (B,).
        noise: Noise variance that all scores share, of shape (B,); what is known of single scores adds to it.
    """

    family: Kernel
    lengthscale: Tensor
    outputscale: Tensor
    noise: Tensor

    def rows(self, rows: Tensor | slice) -> "Hyperparameters":
        """Those of some of the data sets."""
        return Hyperparameters(self.family, self.lengthscale[rows], self.outputscale[rows], self.noise[rows])


@dataclass(frozen=True, slots=True)
class Posterior:
    """Gaussian processes conditioned on their data (Rasmussen & Williams, 2006, section 2.7 for the mean's trend).

    The constant mean is the generalised least-squares one, which is where maximising the likelihood over it leads too.

    Attributes:
        X: Data points, of shape (B, n, d).
        kernel: Their hyperparameters.
        mean: Constant mean, of shape (B,).
        weights: Inverse covariance times residual, of shape (B, n).
        whitener: Inverse of the covariance's Cholesky factor, of shape (B, n, n).
    """

    X: Tensor
    kernel: Hyperparameters
    mean: Tensor
    weights: Tensor
    whitener: Tensor

    def rows(self, rows: Tensor | slice) -> "Posterior":
        """Those of some of the data sets."""
        return Posterior(self.X[rows], self.kernel.rows(rows), self.mean[rows], self.weights[rows], self.whitener[rows])

    @classmethod
    def fit(cls, X: Tensor, y: Tensor, known: Tensor, kernel: Hyperparameters) -> Self:
        """Conditions on scores y of shape (B, n) at X of shape (B, n, d), with known noise variances of shape (B, n).

        Raises:
            torch.linalg.LinAlgError: If a covariance is not positive definite, which the noise floor prevents.
        """
        own = covariance(X, X, kernel)
        own.diagonal(dim1=1, dim2=2).add_(kernel.noise[:, None] + known)
        identity = torch.eye(X.shape[1], dtype=X.dtype).expand_as(own)
        whitener = torch.linalg.solve_triangular(torch.linalg.cholesky(own), identity, upper=False)
        white_one = whitener.sum(2, keepdim=True)
        white_y = torch.bmm(whitener, y[:, :, None])
        mean = (white_one * white_y).sum((1, 2)) / white_one.square().sum((1, 2))
        white_residual = white_y - mean[:, None, None] * white_one
        weights = torch.bmm(whitener.mT, white_residual)[:, :, 0]
        return cls(X, kernel, mean, weights, whitener)

    def predict(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the noise-free score, each of shape (B, m), at X of shape (B, m, d)."""
        cross = covariance(self.X, X, self.kernel)
        mean = self.mean[:, None] + torch.bmm(self.weights[:, None, :], cross)[:, 0]
        explained = torch.bmm(self.whitener, cross).square_().sum(1)
        # Rounding may push the difference below zero where a point is known; it stays far below any real variance.
        variance = (self.kernel.outputscale[:, None] - explained).clamp_min_(LEAST_VARIANCE)
        return mean, variance

    def worth(self, told: Tensor) -> Tensor:
        """What the data points' own scores are believed to be without their measurement error, of shape (B, n).

        Where that error's size was told, noise beyond it is roughness of the objective, which belongs to the point: the
        mean and the expected roughness (Cressie, "Statistics for spatial data", 1993, section 3.2.1, on measurement
        error and microscale variation). Where it was not, the mean.

        Args:
            told: Where the size of the error is known, of shape (B, n).
        """
        # Equal to the score less its expected error, but safe where the error's variance overflows.
        return self.predict(self.X)[0] + torch.where(told, self.kernel.noise[:, None] * self.weights, 0.0)


def avoiding(posterior: Posterior, scores: Tensor, noise: Tensor, failed: Tensor) -> tuple[Posterior, Tensor, Tensor]:
    """Conditions on failed points as well, so that their surroundings are left alone without being ruled out.

    They count as one standard deviation worse than expected (after Forrester, Sobester & Keane, 2006) and no better
    than the median score.

    Args:
        posterior: Conditioned on the points that succeeded.
        scores: Their scores, of shape (B, n).
        noise: Known noise variances of these, of shape (B, n).
        failed: The others, of shape (B, k, d).

    Returns:
        The posterior on all of them, and scores and noise variances, of shape (B, n + k).
    """
    if not failed.shape[1]:
        return posterior, scores, noise
    mean, variance = posterior.predict(failed)
    worse = torch.minimum(mean - variance.sqrt(), scores.median(1, keepdim=True).values)
    scores, noise = torch.cat((scores, worse), 1), torch.cat((noise, torch.zeros_like(worse)), 1)
    return Posterior.fit(torch.cat((posterior.X, failed), 1), scores, noise, posterior.kernel), scores, noise


def covariance(X: Tensor, Z: Tensor, kernel: Hyperparameters) -> Tensor:
    """The covariance of shape (B, n, m) between X (B, n, d) and Z (B, m, d), without noise."""
    return kernel.family.value(squared_distances(X, Z, kernel)).mul_(kernel.outputscale[:, None, None])


def squared_distances(X: Tensor, Z: Tensor, kernel: Hyperparameters) -> Tensor:
    """Squared distances in length scales, of shape (B, n, m)."""
    a, b = X / kernel.lengthscale[:, None, :], Z / kernel.lengthscale[:, None, :]
    squares = (a[:, :, 0, None] - b[:, None, :, 0]).square_()
    for axis in range(1, X.shape[2]):
        difference = a[:, :, axis, None] - b[:, None, :, axis]
        squares.addcmul_(difference, difference)
    return squares
