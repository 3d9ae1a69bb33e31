"""Gamma priors over the hyperparameters of a Gaussian process."""

from dataclasses import dataclass
from math import lgamma, log

from torch import Tensor


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
        lengthscale: Prior of every length scale, in edges of the cube.
        outputscale: Prior of the signal variance.
        noise: Prior of the noise variance above its floor, both relative to the variance of the scores.
        noise_floor: Least noise variance; keeps the Cholesky factor sound when points lie close together.
    """

    lengthscale: Gamma = Gamma(3.0, 6.0)
    outputscale: Gamma = Gamma(2.0, 0.15)
    noise: Gamma = Gamma(1.1, 0.05)
    noise_floor: float = 1e-6
