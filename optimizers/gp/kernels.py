"""Stationary kernels as functions of the squared scaled distance."""

from math import sqrt
from typing import Protocol

from torch import Tensor

ROOT5 = sqrt(5.0)


class Kernel(Protocol):
    """A correlation k(q) of two points, q their squared distance in length scales: k(0) = 1."""

    @staticmethod
    def value(squares: Tensor) -> Tensor:
        """The correlations, of the shape of the squared distances, which may be overwritten."""
        ...

    @staticmethod
    def value_and_tangent(squares: Tensor) -> tuple[Tensor, Tensor]:
        """The correlations, and -2 dk/dq, from which all gradients follow; the squared distances may be overwritten.

        By the logarithm of a length scale the derivative is the tangent times that axis's part of q, and by a point's
        coordinate minus the tangent times the difference over the squared length scale.
        """
        ...


class Matern52:
    """The Matérn kernel of smoothness 5/2 (Rasmussen & Williams, 2006, equation 4.17): twice differentiable."""

    @staticmethod
    def value(squares: Tensor) -> Tensor:
        """See `Kernel`."""
        # In place, as most of the time of a suggestion is spent in these few lines.
        scaled = squares.sqrt_().mul_(ROOT5)
        decay = (-scaled).exp_()
        growth = scaled.addcmul_(scaled, scaled, value=1.0 / 3.0).add_(1.0)
        return decay.mul_(growth)

    @staticmethod
    def value_and_tangent(squares: Tensor) -> tuple[Tensor, Tensor]:
        """See `Kernel`."""
        scaled = squares.sqrt_().mul_(ROOT5)
        decay = (-scaled).exp_()
        tangent = decay * (1.0 + scaled)
        value = tangent + decay * scaled.square_().div_(3.0)
        return value, tangent.mul_(5.0 / 3.0)


MATERN52 = Matern52()
