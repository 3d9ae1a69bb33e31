import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement as BotorchLogEi

from optimizers import InvalidSettingError
from optimizers.gp.acquisition import LogExpectedImprovement
from optimizers.gp.kernels import Priors
from optimizers.gp.model import Model
from optimizers.gp.reference import reference


@pytest.fixture(scope="module")
def noisy():
    """Synthetic scores with standard errors that differ from point to point."""
    generator = np.random.default_rng(0)
    X = generator.random((40, 2))
    truth = 30.0 + 10.0 * np.sin(4 * X[:, 0]) * X[:, 1]
    errors = generator.uniform(0.5, 4.0, 40)
    return X, truth, truth + errors * generator.standard_normal(40), errors


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_standard_error_whose_square_is_beyond_all_numbers_teaches_nothing_and_warns_of_nothing() -> None:
    X, y = np.array([[0.1], [0.5], [0.9]]), np.array([0.0, 1.0, 100.0])
    mean, _ = Model.fit(X, y, np.array([0.01, 0.01, 1e200])).predict(X)
    assert mean[:2] == pytest.approx(y[:2], abs=0.5)
    assert mean[2] < 50.0


@pytest.mark.parametrize("known", [True, False])
def test_predictions_are_those_of_botorchs_model(noisy, known: bool) -> None:
    X, truth, y, errors = noisy
    model = Model.fit(X, y, errors) if known else Model.fit(X, truth)
    places = np.concatenate((X, np.random.default_rng(1).random((30, 2))))
    (mean, deviation), theirs = model.predict(places), model.botorch().posterior(torch.from_numpy(places))
    # Of scores of size 30.
    assert theirs.mean[:, 0].numpy() == pytest.approx(mean, abs=1e-8)
    assert theirs.variance[:, 0].sqrt().numpy() == pytest.approx(deviation, abs=1e-8)


def test_where_some_errors_are_unknown_the_noise_of_botorchs_model_is_none(noisy) -> None:
    X, _, y, errors = noisy
    model = Model.fit(X, y, np.where(np.arange(40) % 2, errors, np.nan))
    mean, _ = model.predict(X)
    assert model.botorch().posterior(torch.from_numpy(X)).mean[:, 0].numpy() == pytest.approx(mean, abs=1e-8)


def test_botorchs_acquisition_takes_the_model(noisy) -> None:
    X, _, y, errors = noisy
    model = Model.fit(X, y, errors)
    places = np.random.default_rng(2).random((20, 2))
    best = float(y.max())
    found = BotorchLogEi(model.botorch(), best_f=best)(torch.from_numpy(places)[:, None, :])
    ours = LogExpectedImprovement(model.posterior, torch.tensor([(best - model.offset) / model.scale]).double())
    expected = ours(torch.from_numpy(places)[None])[0] + np.log(model.scale)
    assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-6)


def test_other_kernels_and_priors_have_no_model_of_botorch() -> None:
    class Other:
        pass

    for priors in (Priors(kernel=Other()), Priors(noise=Other())):  # pyright: ignore[reportArgumentType]
        with pytest.raises(InvalidSettingError, match="BoTorch's model is made with"):
            reference(*(torch.zeros(1, 1), torch.zeros(1), torch.zeros(1)), priors)


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
