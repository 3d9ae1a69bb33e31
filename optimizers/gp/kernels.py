"""Stationary kernels as functions of the squared scaled distance."""

from dataclasses import dataclass
from math import lgamma, log, sqrt
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


class Prior(Protocol):
    """A density over positive numbers."""

    def log_density(self, value: Tensor, log_value: Tensor) -> Tensor:
        """The log density at positive values, whose logarithms the caller has at hand."""
        ...

    def slope(self, value: Tensor) -> Tensor:
        """The derivative of the log density by the logarithm of the value."""
        ...


@dataclass(frozen=True, slots=True)
class Gamma:
    """A Gamma distribution by shape and rate, as `gpytorch.priors.GammaPrior`, with its gradient in closed form."""

    concentration: float
    rate: float

    def log_density(self, value: Tensor, log_value: Tensor) -> Tensor:
        """The log density at positive values, whose logarithms the caller has at hand."""
        constant = self.concentration * log(self.rate) - lgamma(self.concentration)
        return constant + (self.concentration - 1.0) * log_value - self.rate * value

    def slope(self, value: Tensor) -> Tensor:
        """The derivative of the log density by the logarithm of the value."""
        return (self.concentration - 1.0) - self.rate * value


@dataclass(frozen=True, slots=True)
class Priors:
    """What is believed before any score is seen; inputs fill the unit cube, scores have mean 0 and variance 1.

    The defaults are those that BoTorch used until 2024 (its `SingleTaskGP` before version 0.12; Balandat et al., 2020):
    unlike their successors they do not favour long length scales, and they let the output scale be learnt.

    Attributes:
        kernel: What kind of kernel.
        lengthscale: Prior of every length scale, in edges of the cube.
        outputscale: Prior of the signal variance.
        noise: Prior of the noise variance above its floor, both relative to the variance of the scores.
        noise_floor: Least noise variance; keeps the Cholesky factor sound when points lie close together.
    """

    kernel: Kernel = MATERN52
    lengthscale: Prior = Gamma(3.0, 6.0)
    outputscale: Prior = Gamma(2.0, 0.15)
    noise: Prior = Gamma(1.1, 0.05)
    noise_floor: float = 1e-6

    @property
    def in_botorch(self) -> bool:
        """Whether BoTorch's model can have them: a Matern-5/2 kernel and Gamma distributions."""
        priors = (self.lengthscale, self.outputscale, self.noise)
        return self.kernel is MATERN52 and all(isinstance(one, Gamma) for one in priors)
