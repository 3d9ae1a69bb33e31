"""The same Gaussian process as BoTorch's own model: for all that is not the lockstep loop, and to test that against."""

import gpytorch
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood
from gpytorch.priors import GammaPrior
from torch import Tensor

from optimizers.errors import InvalidSettingError
from optimizers.gp.kernels import MATERN52, Gamma, Prior, Priors
from optimizers.gp.posterior import Hyperparameters


def reference(X: Tensor, y: Tensor, known: Tensor, priors: Priors) -> SingleTaskGP:
    """BoTorch's model of one data set with our kernel and our priors, not yet fitted.

    Args:
        X: Points in the unit cube, of shape (n, d).
        y: Their scores, of shape (n,), with mean 0 and variance 1.
        known: Known noise variances of the scores in these units, of shape (n,), zero where nothing is known. The noise
            that is to be learnt adds to them.
        priors: Of the hyperparameters: Gamma distributions, with a Matern-5/2 kernel.

    Raises:
        InvalidSettingError: If kernel or priors are of another kind.
    """
    if priors.kernel is not MATERN52:
        raise InvalidSettingError(
            f"BoTorch's model is made with the Matern-5/2 kernel, not {type(priors.kernel).__name__}; an optimiser "
            "with another one takes one point at a time (`parallel = False`)"
        )
    noise = {"noise_prior": _gamma(priors.noise), "noise_constraint": GreaterThan(priors.noise_floor)}
    if known.any():
        # What is known of some scores and not of others is zero there, which GPyTorch would round up.
        with gpytorch.settings.min_fixed_noise(double_value=0.0):
            likelihood = FixedNoiseGaussianLikelihood(known, learn_additional_noise=True, **noise)
    else:
        likelihood = GaussianLikelihood(**noise)
    kernel = MaternKernel(nu=2.5, ard_num_dims=X.shape[1], lengthscale_prior=_gamma(priors.lengthscale))
    scaled = ScaleKernel(kernel, outputscale_prior=_gamma(priors.outputscale))
    return SingleTaskGP(X, y[:, None], likelihood=likelihood, covar_module=scaled, outcome_transform=None).double()


def fixed(model: SingleTaskGP, kernel: Hyperparameters, mean: Tensor) -> SingleTaskGP:
    """A `reference` whose hyperparameters are ours of one data set, and stay so.

    Args:
        model: The model; it is changed.
        kernel: Its hyperparameters.
        mean: Its constant mean, of shape (1,).

    Returns:
        The same model, ready to predict.
    """
    learnt = "noise_covar" if isinstance(model.likelihood, GaussianLikelihood) else "second_noise_covar"
    ours = {
        "covar_module.base_kernel.lengthscale": kernel.lengthscale,
        "covar_module.outputscale": kernel.outputscale[0],
        f"likelihood.{learnt}.noise": kernel.noise,
        "mean_module.constant": mean[0],
    }
    model.initialize(**ours)
    return model.requires_grad_(False).eval()


def in_units(model: SingleTaskGP, offset: float, scale: float) -> SingleTaskGP:
    """A model of standardised scores that predicts scores in their own units.

    Args:
        model: The model; it is changed.
        offset: Mean of the scores.
        scale: Their standard deviation.

    Returns:
        The same model.
    """
    units = Standardize(m=1, min_stdv=0.0)
    # Three scores of this standard deviation: ours are standardised with more care than BoTorch's would be.
    units(torch.tensor([[-scale], [0.0], [scale]], dtype=torch.double))
    units.means += offset
    model.outcome_transform = units.eval()
    return model


def _gamma(prior: Prior) -> GammaPrior:
    if not isinstance(prior, Gamma):
        raise InvalidSettingError(f"BoTorch's model is made with Gamma priors, not {prior}")
    return GammaPrior(prior.concentration, prior.rate)
