"""BFGS on many small problems at once."""

from typing import Protocol, Self

import torch
from torch import Tensor

SUFFICIENT = 1e-4
"""Share of the predicted decrease that a step must reach (Armijo's rule; Nocedal & Wright, 2006, equation 3.6a)."""


class Objective(Protocol):
    """B independent functions of p variables."""

    def __call__(self, parameters: Tensor, /) -> tuple[Tensor, Tensor]:
        """Values of shape (B,), possibly infinite, and gradients of shape (B, p), at parameters of shape (B, p)."""
        ...

    def subset(self, rows: Tensor) -> Self:
        """Some of the functions, by index."""
        ...


def minimise(
    objective: Objective, x: Tensor, *, tolerance: float = 1e-2, evaluations: int = 60, reach: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Minimises every function by its own BFGS iteration (Nocedal & Wright, 2006, algorithm 6.1).

    All iterations march in step, one evaluation of all unfinished problems at a time, but none sees another: each has
    its own step length, its own end, and the same result in any company.

    Args:
        objective: The functions.
        x: Where to begin, of shape (B, p); values there must be finite.
        tolerance: A problem is finished when no entry of its gradient is larger.
        evaluations: The most evaluations of each function.
        reach: The longest step along any variable.

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
        direction = direction * (reach / direction.abs().amax(1).clamp_min(reach))[:, None]
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
