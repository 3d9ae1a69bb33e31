"""Maximum a posteriori hyperparameters for many data sets at once."""

from dataclasses import dataclass
from math import log
from typing import Protocol, Self

import torch
from torch import Tensor

from optimizers.gp.kernels import Priors
from optimizers.gp.posterior import Hyperparameters

SUFFICIENT = 1e-4
"""Share of the predicted decrease that a step must reach (Armijo's rule; Nocedal & Wright, 2006, equation 3.6a)."""
REACH = 2.0
"""The longest step along any variable."""


class BatchedObjective(Protocol):
    """B independent functions of p variables."""

    def __call__(self, parameters: Tensor, /) -> tuple[Tensor, Tensor]:
        """Values of shape (B,), possibly infinite, and gradients of shape (B, p), at parameters of shape (B, p)."""
        ...

    def subset(self, rows: Tensor) -> Self:
        """Some of the functions, by index."""
        ...


def minimise(
    objective: BatchedObjective, x: Tensor, *, tolerance: float = 1e-2, evaluations: int = 60
) -> tuple[Tensor, Tensor]:
    """Minimises every function by its own BFGS iteration (Nocedal & Wright, 2006, algorithm 6.1).

    All iterations march in step, one evaluation of all unfinished problems at a time, but none sees another: each has
    its own step length, its own end, and the same result in any company.

    Args:
        objective: The functions.
        x: Where to begin, of shape (B, p); values there must be finite.
        tolerance: A problem is finished when no entry of its gradient is larger.
        evaluations: The most evaluations of each function.

    Returns:
        The best points, of shape (B, p), and their values, of shape (B,).
    """
    x = x.clone()
    value, gradient = objective(x)
    best_x, best_value = x.clone(), value.clone()
    rows = torch.arange(len(x))
    identity = torch.eye(x.shape[1], dtype=x.dtype)
    inverse = identity.expand(len(x), -1, -1).clone()
    fresh = torch.ones(len(x), dtype=torch.bool)
    length = torch.ones(len(x), dtype=x.dtype)
    for _ in range(evaluations - 1):
        going = gradient.abs().amax(1) > tolerance
        going &= length > 1e-6
        if not going.all():
            best_x[rows], best_value[rows] = x, value
            rows, x, value, gradient = rows[going], x[going], value[going], gradient[going]
            inverse, fresh, length = inverse[going], fresh[going], length[going]
            objective = objective.subset(going.nonzero()[:, 0])
            if not len(rows):
                break

        direction = -torch.bmm(inverse, gradient[:, :, None])[:, :, 0]
        direction = direction * (REACH / direction.abs().amax(1).clamp_min(REACH))[:, None]
        slope = (direction * gradient).sum(1)
        step = length[:, None] * direction
        new_value, new_gradient = objective(x + step)
        accepted = new_value <= value + SUFFICIENT * length * slope

        change = new_gradient - gradient
        curvature = (step * change).sum(1)
        # A pair of negative curvature would make the metric indefinite: the step is taken, the pair is not.
        usable = accepted & (curvature > 1e-10 * step.norm(dim=1) * change.norm(dim=1))
        updated = _updated(inverse, step, change, curvature, fresh)
        inverse = torch.where(usable[:, None, None], updated, inverse)
        fresh = fresh & ~usable
        x = torch.where(accepted[:, None], x + step, x)
        value = torch.where(accepted, new_value, value)
        gradient = torch.where(accepted[:, None], new_gradient, gradient)
        length = torch.where(accepted, 1.0, 0.4 * length)
    best_x[rows], best_value[rows] = x, value
    return best_x, best_value


def _updated(inverse: Tensor, step: Tensor, change: Tensor, curvature: Tensor, fresh: Tensor) -> Tensor:
    """The BFGS update of the inverse Hessian, scaled first to the first pair (equations 6.17 and 6.20)."""
    scale = torch.where(fresh, curvature / change.square().sum(1), 1.0)
    inverse = inverse * scale[:, None, None]
    image = torch.bmm(inverse, change[:, :, None])[:, :, 0]
    weight = (1.0 + (change * image).sum(1) / curvature) / curvature
    cross = step[:, :, None] * image[:, None, :]
    return (
        inverse
        + weight[:, None, None] * step[:, :, None] * step[:, None, :]
        - (cross + cross.mT) / curvature[:, None, None]
    )


TYPICAL_LENGTHSCALE, TYPICAL_OUTPUTSCALE, TYPICAL_NOISE = 1 / 3, 1.0, 1e-3


@dataclass(frozen=True, slots=True)
class LogPosterior:
    """The negative log posterior of kernel hyperparameters, with its gradient in closed form.

    The log marginal likelihood is Rasmussen & Williams' (2006) equation 5.8, its gradient their 5.9; the constant mean
    is profiled out. Parameters are a tensor of shape (B, d + 2): logarithms of the length scales, of the output scale
    and of the noise variance above its floor. Densities are over the parameters and not over their logarithms, as
    in GPyTorch, so that both have the same maximum.

    Attributes:
        squares: Squared distances along each axis, of shape (B, d, n * n).
        y: Scores, of shape (B, n).
        known: Their known noise variances, of shape (B, n), zero where nothing is known.
        priors: Priors of the hyperparameters.
    """

    squares: Tensor
    y: Tensor
    known: Tensor
    priors: Priors

    @classmethod
    def of(cls, X: Tensor, y: Tensor, known: Tensor, priors: Priors) -> "LogPosterior":
        """The posterior given scores y of shape (B, n), their known noise (B, n), at X of shape (B, n, d)."""
        difference = X.mT[:, :, :, None] - X.mT[:, :, None, :]
        return cls(difference.square().flatten(2), y, known, priors)

    def subset(self, rows: Tensor) -> "LogPosterior":
        """That of some of the data sets."""
        return LogPosterior(self.squares[rows], self.y[rows], self.known[rows], self.priors)

    def __call__(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log posterior, of shape (B,), and gradient, of shape (B, d + 2).

        Where the covariance is not positive definite the value is infinite and the gradient means nothing.
        """
        B, n = self.y.shape
        kernel = hyperparameters(parameters, self.priors)
        inverse_square = kernel.lengthscale.pow(-2)
        scaled = torch.bmm(inverse_square[:, None, :], self.squares)[:, 0]
        signal, tangent = (part.mul_(kernel.outputscale[:, None]) for part in kernel.family.value_and_tangent(scaled))

        covariance = signal.view(B, n, n).clone()
        covariance.diagonal(dim1=1, dim2=2).add_(kernel.noise[:, None] + self.known)
        factor, failed = torch.linalg.cholesky_ex(covariance)
        factor[failed > 0] = torch.eye(n, dtype=self.y.dtype)
        inverse = torch.cholesky_inverse(factor)
        solved = torch.bmm(inverse, torch.stack((self.y, torch.ones_like(self.y)), dim=2))
        mean = solved[:, :, 0].sum(1) / solved[:, :, 1].sum(1)
        weights = solved[:, :, 0] - mean[:, None] * solved[:, :, 1]
        quadratic = ((self.y - mean[:, None]) * weights).sum(1)
        log_determinant = 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
        value = 0.5 * (quadratic + log_determinant)

        # Half the derivative by each entry of the covariance.
        outer = 0.5 * (inverse - weights[:, :, None] * weights[:, None, :]).flatten(1)
        by_lengthscale = torch.bmm((outer * tangent)[:, None, :], self.squares.mT)[:, 0] * inverse_square
        by_outputscale = (outer * signal).sum(1)
        by_noise = outer.view(B, n, n).diagonal(dim1=1, dim2=2).sum(1) * kernel.noise

        p = self.priors
        log_noise = kernel.noise.log()
        value = value - p.lengthscale.log_density(kernel.lengthscale, parameters[:, :-2]).sum(1)
        value = value - p.outputscale.log_density(kernel.outputscale, parameters[:, -2])
        value = value - p.noise.log_density(kernel.noise, log_noise)
        free = 1.0 - p.noise_floor / kernel.noise
        gradient = torch.cat(
            (
                by_lengthscale - p.lengthscale.slope(kernel.lengthscale),
                (by_outputscale - p.outputscale.slope(kernel.outputscale))[:, None],
                ((by_noise - p.noise.slope(kernel.noise)) * free)[:, None],
            ),
            dim=1,
        )
        return value.masked_fill_(failed > 0, torch.inf), gradient


def hyperparameters(parameters: Tensor, priors: Priors) -> Hyperparameters:
    """The hyperparameters that parameters of shape (B, d + 2) stand for."""
    positive = parameters.exp()
    return Hyperparameters(priors.kernel, positive[:, :-2], positive[:, -2], positive[:, -1] + priors.noise_floor)


def typical(dim: int) -> Tensor:
    """Parameters of shape (dim + 2,) from which a descent may begin.

    The mode of the length scales' prior, the variance of standardised scores, and little noise.
    """
    log_values = [log(TYPICAL_LENGTHSCALE)] * dim + [log(TYPICAL_OUTPUTSCALE), log(TYPICAL_NOISE)]
    return torch.tensor(log_values, dtype=torch.double)


def fit_map(X: Tensor, y: Tensor, known: Tensor, starts: Tensor, priors: Priors) -> Tensor:
    """The best of several descents for each data set.

    Why not `botorch.fit.fit_gpytorch_mll`: it takes several times as long (`docs/optimisers.md`), and its batched form
    sums the likelihoods into one L-BFGS, so that each result would depend on the company.

    Args:
        X: Points, of shape (B, n, d).
        y: Scores, of shape (B, n), standardised.
        known: Known noise variances of the scores, of shape (B, n), in the same units.
        starts: Parameters to begin from, of shape (S, B, d + 2).
        priors: Priors of the hyperparameters.

    Returns:
        Parameters of shape (B, d + 2).
    """
    S, B, _ = starts.shape
    posterior = LogPosterior.of(X, y, known, priors).subset(torch.arange(B).repeat(S))
    found, value = minimise(posterior, starts.flatten(0, 1))
    best = value.view(S, B).argmin(0)
    return found.view(S, B, -1)[best, torch.arange(B)]
