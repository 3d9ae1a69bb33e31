"""Our batched Gaussian process against GPyTorch's and BoTorch's, one data set at a time."""

from dataclasses import replace

import gpytorch
import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement as BotorchLogEi
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior

from optimizers.gp.acquisition import Draws, Effort, LogExpectedImprovement, log_improvement, maximise
from optimizers.gp.fit import LogPosterior, fit_map, hyperparameters
from optimizers.gp.kernels import Gamma, Priors
from optimizers.gp.posterior import Hyperparameters, Posterior, covariance
from optimizers.gp.reference import fixed, reference

B, N, D = 4, 17, 3
QUIET = torch.zeros(B, N, dtype=torch.double)


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(B, N, D, dtype=torch.double, generator=generator)
    y = torch.sin(6 * X[..., 0]) + X[..., 1] * torch.arange(1.0, B + 1)[:, None] - X[..., 2] ** 2
    return X, (y - y.mean(1, keepdim=True)) / y.std(1, keepdim=True)


@pytest.fixture(scope="module")
def parameters():
    return 0.4 * torch.randn(B, D + 2, dtype=torch.double, generator=torch.Generator().manual_seed(1)) - 1.0


def theirs(X, y, kernel: Hyperparameters | None = None, mean: float = 0.0, known=None) -> SingleTaskGP:
    """BoTorch's model of one data set with the priors that are our defaults; its hyperparameters, if given, ours."""
    model = reference(X, y, torch.zeros_like(y) if known is None else known, Priors())
    return model if kernel is None else fixed(model, kernel, torch.tensor([mean]).double())


def one(kernel: Hyperparameters, index: int) -> Hyperparameters:
    return Hyperparameters(
        kernel.family, *(part[index : index + 1] for part in (kernel.lengthscale, kernel.outputscale, kernel.noise))
    )


@pytest.mark.parametrize("value", [0.01, 0.5, 7.0])
def test_gamma_is_gpytorchs(value: float) -> None:
    ours, expected = Gamma(3.0, 6.0), GammaPrior(3.0, 6.0)
    log_value = torch.tensor(value, dtype=torch.double).log().requires_grad_()
    density = expected.log_prob(log_value.exp())
    density.backward()
    assert ours.log_density(log_value.exp(), log_value).item() == pytest.approx(density.item())
    assert ours.slope(log_value.exp()).item() == pytest.approx(log_value.grad.item(), rel=1e-6)


def test_kernel_is_gpytorchs(data, parameters) -> None:
    kernel = hyperparameters(parameters, Priors())
    ours = covariance(data[0], data[0].flip(1), kernel)
    for index in range(B):
        expected = theirs(data[0][index], data[1][index], one(kernel, index), 0.0).covar_module(
            data[0][index], data[0][index].flip(0)
        )
        assert torch.allclose(ours[index], expected.to_dense(), atol=1e-12)


def test_prediction_is_botorchs(data, parameters) -> None:
    kernel = hyperparameters(parameters, Priors())
    posterior = Posterior.fit(*data, QUIET, kernel)
    places = torch.rand(B, 50, D, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    mean, variance = posterior.predict(places)
    for index in range(B):
        model = theirs(data[0][index], data[1][index], one(kernel, index), posterior.mean[index].item())
        with gpytorch.settings.fast_computations(False, False, False):
            expected = model.posterior(places[index])
        assert torch.allclose(mean[index], expected.mean[:, 0], atol=1e-8)
        assert torch.allclose(variance[index], expected.variance[:, 0], atol=1e-8)


def test_variance_vanishes_where_the_score_is_known(data, parameters) -> None:
    kernel = hyperparameters(parameters, Priors())
    quiet = replace(kernel, noise=torch.full((B,), 1e-6, dtype=torch.double))
    mean, variance = Posterior.fit(*data, QUIET, quiet).predict(data[0])
    assert torch.allclose(mean, data[1], atol=1e-3)
    assert variance.max() < 2e-6


def test_log_expected_improvement_is_botorchs(data, parameters) -> None:
    kernel = hyperparameters(parameters, Priors())
    posterior = Posterior.fit(*data, QUIET, kernel)
    incumbent = data[1].max(1).values
    places = torch.rand(B, 200, D, dtype=torch.double, generator=torch.Generator().manual_seed(3))
    ours = LogExpectedImprovement(posterior, incumbent)(places)
    for index in range(B):
        model = theirs(data[0][index], data[1][index], one(kernel, index), posterior.mean[index].item())
        with gpytorch.settings.fast_computations(False, False, False):
            expected = BotorchLogEi(model, best_f=incumbent[index])(places[index][:, None, :])
        assert torch.allclose(ours[index], expected, atol=1e-5, rtol=1e-5)


def test_log_improvement_is_botorchs_far_below_the_incumbent_too() -> None:
    """BoTorch's public acquisition on a point of mean z and variance 1, the incumbent 0."""
    z = torch.cat((torch.linspace(-45.0, 9.0, 1000).double(), -torch.logspace(1.7, 9, 50).double(), -torch.ones(1)))

    class Standard:
        num_outputs = 1

        def posterior(self, X, **_):
            return GPyTorchPosterior(MultivariateNormal(X[..., 0], torch.ones_like(X)))

    expected = BotorchLogEi(Standard(), best_f=0.0)(z[:, None, None].double())
    assert torch.allclose(log_improvement(z), expected, rtol=1e-14, atol=0.0)


def test_where_a_score_is_known_nothing_is_to_be_gained(data, parameters) -> None:
    posterior = Posterior.fit(*data, QUIET, hyperparameters(parameters, Priors()))
    acquisition = LogExpectedImprovement(posterior, data[1].max(1).values)
    for place, known in ((0.0, True), (0.9e-4, True), (1.1e-4, False)):
        assert torch.isinf(acquisition(data[0][:, :1] + place)).all() == known


@pytest.mark.parametrize("known", [QUIET, torch.linspace(0.0, 0.3, N, dtype=torch.double).expand(B, -1)])
def test_log_posterior_is_gpytorchs(data, parameters, known) -> None:
    value, _ = LogPosterior.of(*data, known, Priors())(parameters)
    kernel = hyperparameters(parameters, Priors())
    posterior = Posterior.fit(*data, known, kernel)
    for index in range(B):
        own = one(kernel, index)
        model = theirs(data[0][index], data[1][index], own, posterior.mean[index].item(), known[index])
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        model.train()
        with gpytorch.settings.fast_computations(False, False, False):
            expected = -N * mll(model(*model.train_inputs), model.train_targets)
        ours = value[index].item() + 0.5 * N * np.log(2 * np.pi)
        assert ours == pytest.approx(expected.item(), rel=1e-8)


@pytest.mark.parametrize("known", [QUIET, 0.3 * torch.rand(B, N, dtype=torch.double)])
def test_gradient_is_that_of_the_value(data, parameters, known) -> None:
    posterior = LogPosterior.of(*data, known, Priors())
    _, gradient = posterior(parameters)
    h = 1e-5
    for index in range(D + 2):
        step = torch.zeros(D + 2, dtype=torch.double)
        step[index] = h
        slope = (posterior(parameters + step)[0] - posterior(parameters - step)[0]) / (2 * h)
        assert torch.allclose(gradient[:, index], slope, rtol=1e-5, atol=1e-6)


def test_a_covariance_that_is_not_positive_definite_has_infinite_value() -> None:
    X = torch.zeros(2, 5, 1, dtype=torch.double)
    X[1, :, 0] = torch.linspace(0, 1, 5, dtype=torch.double)
    y = torch.ones(2, 5, dtype=torch.double)
    hopeless = torch.tensor([[0.0, 60.0, -60.0], [-1.0, 0.0, 0.0]], dtype=torch.double)
    value, _ = LogPosterior.of(X, y, torch.zeros_like(y), Priors(noise_floor=0.0))(hopeless)
    assert torch.isinf(value[0])
    assert torch.isfinite(value[1])


def test_the_fit_is_at_least_as_good_as_botorchs(data) -> None:
    start = torch.tensor([-1.0] * D + [0.0, -6.0], dtype=torch.double).expand(1, B, -1)
    found = fit_map(*data, QUIET, start, Priors())
    ours, _ = LogPosterior.of(*data, QUIET, Priors())(found)
    for index in range(B):
        model = theirs(data[0][index], data[1][index])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        covariance = model.covar_module
        fitted = torch.cat(
            (
                covariance.base_kernel.lengthscale[0].log(),
                covariance.outputscale.log()[None],
                (model.likelihood.noise - 1e-6).log(),
            )
        ).detach()
        expected, _ = LogPosterior.of(data[0][index : index + 1], data[1][index : index + 1], QUIET[:1], Priors())(
            fitted[None]
        )
        assert ours[index] <= expected[0] + 1e-2


def test_the_best_of_several_starts_is_kept(data) -> None:
    near = torch.tensor([-1.0] * D + [0.0, -6.0], dtype=torch.double).expand(1, B, -1)
    far = torch.tensor([3.0] * D + [-3.0, 3.0], dtype=torch.double).expand(1, B, -1)
    posterior = LogPosterior.of(*data, QUIET, Priors())
    both = posterior(fit_map(*data, QUIET, torch.cat((far, near)), Priors()))[0]
    alone = torch.stack([posterior(fit_map(*data, QUIET, start, Priors()))[0] for start in (near, far)])
    assert torch.equal(both, alone.amin(0))


def test_the_search_finds_the_maximum_that_a_fine_grid_finds(data) -> None:
    generators = [np.random.default_rng(seed) for seed in range(2)]
    posterior = Posterior.fit(
        data[0][:2, :, :2], data[1][:2], QUIET[:2], hyperparameters(torch.full((2, 4), -1.0).double(), Priors())
    )
    incumbent, index = data[1][:2].max(1)

    acquisition = LogExpectedImprovement(posterior, incumbent)
    draws = Draws.of(generators, 2, Effort())
    found = maximise(acquisition, posterior.X[torch.arange(2), index], draws)
    axis = torch.linspace(0, 1, 201, dtype=torch.double)
    grid = torch.cartesian_prod(axis, axis).expand(2, -1, -1)
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    assert (acquisition(found[:, None, :])[:, 0] >= acquisition(grid).amax(1) - 1e-3).all()
