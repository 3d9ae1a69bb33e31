"""What is believed of a Gaussian process beforehand: its kernel, and Gamma priors over its hyperparameters."""

from dataclasses import dataclass
from math import lgamma, log
from typing import Protocol

from torch import Tensor

from optimizers.gp.kernels import MATERN52, Kernel


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
