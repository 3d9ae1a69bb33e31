import numpy as np
import pytest
import torch
from botorch.models import SingleTaskGP
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.means import ConstantMean

from optimizers import InvalidSettingError
from optimizers.gp.model import Model


@pytest.fixture(scope="module")
def noisy():
    """Synthetic scores with standard errors that differ from point to point."""
    generator = np.random.default_rng(0)
    X = generator.random((40, 2))
    truth = 30.0 + 10.0 * np.sin(4 * X[:, 0]) * X[:, 1]
    errors = generator.uniform(0.5, 4.0, 40)
    return X, truth, truth + errors * generator.standard_normal(40), errors


def test_known_noise_is_botorchs(noisy) -> None:
    """BoTorch's model with fixed noise, its hyperparameters ours, predicts the same."""
    X, _, y, errors = noisy
    model = Model.fit(X, y, errors)
    standard, variances = (y - model.offset) / model.scale, (errors / model.scale) ** 2
    kernel = model.hyperparameters
    mean = ConstantMean()
    mean.constant = model.posterior.mean.item()
    theirs = SingleTaskGP(
        torch.from_numpy(X),
        torch.from_numpy(standard)[:, None],
        train_Yvar=torch.from_numpy(variances)[:, None] + kernel.noise.item(),
        mean_module=mean,
        covar_module=ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=2)),
        outcome_transform=None,
    ).double()
    theirs.covar_module.base_kernel.lengthscale = kernel.lengthscale[0]
    theirs.covar_module.outputscale = kernel.outputscale[0]
    places = np.random.default_rng(1).random((30, 2))
    found, deviation = model.predict(places)
    expected = theirs.posterior(torch.from_numpy(places))
    assert np.allclose(found, model.offset + model.scale * expected.mean.detach().numpy()[:, 0], atol=1e-5)
    assert np.allclose(deviation, model.scale * expected.variance.detach().sqrt().numpy()[:, 0], atol=1e-5)


def test_the_posterior_mean_is_nearer_to_the_truth_than_the_scores_and_its_bars_hold(noisy) -> None:
    X, truth, y, errors = noisy
    mean, deviation = Model.fit(X, y, errors).predict(X)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.6 * np.sqrt(np.mean((y - truth) ** 2))
    assert np.mean(np.abs(mean - truth) < 2 * deviation) > 0.85


def test_without_noise_scores_are_met(noisy) -> None:
    X, truth, _, _ = noisy
    mean, deviation = Model.fit(X, truth).predict(X)
    assert np.allclose(mean, truth, atol=0.1)
    assert deviation.max() < 0.2


def test_unknown_errors_count_as_none(noisy) -> None:
    X, truth, _, errors = noisy
    plain = Model.fit(X, truth).predict(X)
    unknown = Model.fit(X, truth, np.full_like(errors, np.nan)).predict(X)
    assert np.array_equal(plain, unknown)


def test_one_point_is_enough_and_equal_scores_have_no_scale() -> None:
    for X, y in (([[0.5]], [3.0]), ([[0.1], [0.9]], [3.0, 3.0])):
        mean, deviation = Model.fit(X, y).predict([[0.2], [0.5]])
        assert np.allclose(mean, 3.0)
        assert np.all(deviation > 0.0)


@pytest.mark.parametrize(
    ("X", "y", "errors"),
    [
        ([0.5, 0.5], [1.0, 2.0], None),
        ([[0.5], [0.6]], [1.0], None),
        (np.empty((0, 2)), [], None),
        ([[0.5]], [np.nan], None),
        ([[1.5]], [1.0], None),
        ([[0.5]], [1.0], [-1.0]),
        ([[0.5]], [1.0], [np.inf]),
        ([[0.5]], [1.0], [1.0, 1.0]),
    ],
)
def test_bad_data(X, y, errors) -> None:
    with pytest.raises(InvalidSettingError):
        Model.fit(X, y, errors)


def test_points_of_another_dimension() -> None:
    with pytest.raises(InvalidSettingError, match=r"\(m, 1\)"):
        Model.fit([[0.5]], [1.0]).predict([[0.5, 0.5]])


@pytest.mark.parametrize(("factor", "offset"), [(1e12, 0.0), (1e-12, 0.0), (1.0, 1e9), (2.0**-1040, 0.0), (1e-3, 1e9)])
def test_units_and_offsets_of_scores_do_not_matter(factor: float, offset: float) -> None:
    X = np.random.default_rng(0).random((15, 2))
    # Only what is left of a score beside its offset is known.
    y = factor * np.sin(3 * X.sum(1)) + offset
    plain = Model.fit(X, (y - offset) / factor)
    mean, deviation = Model.fit(X, y).predict(X + 0.01 * (0.5 - X))
    expected_mean, expected_deviation = plain.predict(X + 0.01 * (0.5 - X))
    resolution = np.spacing(np.abs(y).max()) / factor
    assert (mean - offset) / factor == pytest.approx(expected_mean, abs=1e-6 + 4 * resolution)
    assert deviation / factor == pytest.approx(expected_deviation, rel=1e-4)


def test_scores_that_differ_by_rounding_alone_are_equal() -> None:
    X = np.random.default_rng(0).random((6, 2))
    y = np.array([0.3, 0.1 + 0.2, 0.3, 0.3, 0.3, 0.3])
    mean, _ = Model.fit(X, y).predict(X)
    assert mean == pytest.approx(0.3)
    assert Model.fit(X, y).scale == 1.0
