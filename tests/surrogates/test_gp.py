import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from surrogates import registry
from surrogates.base import Surrogate
from surrogates.errors import NoDeviationError, NotFittedError, TooFewPointsError, UnknownKernelError
from surrogates.gp import GPSurrogate
from surrogates.loocv import exact_loocv
from surrogates.rbf import RBFSurrogate


def grid(*levels: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in levels], indexing="ij"), -1).reshape(-1, len(levels))


def hill(X: np.ndarray) -> np.ndarray:
    return 3 + np.exp(-4 * ((X - 0.6) ** 2).sum(1))


def noisy(X: np.ndarray, noise: float = 0.1) -> np.ndarray:
    return hill(X) + noise * np.random.default_rng(0).normal(size=len(X))


def test_predicts_as_scikit_learn_does() -> None:
    X = grid(5, 5, 4)
    y = noisy(X)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern([0.5] * 3, (0.05, 10.0), nu=2.5) + WhiteKernel(0.01, (1e-8, 1.0))
    theirs = GaussianProcessRegressor(kernel, normalize_y=True).fit(X, y)
    new = np.random.default_rng(1).random((50, 3))
    ours = GPSurrogate().fit(X, y)
    mean, deviation = theirs.predict(new, return_std=True)
    assert ours.predict(new) == pytest.approx(mean, abs=1e-6)
    # Theirs is of a score, ours of the function, which has no noise.
    noise = theirs.kernel_.k2.noise_level * y.var()
    assert noise > 1e-4
    assert ours.std(new) == pytest.approx(np.sqrt(deviation**2 - noise), rel=1e-5)


def test_the_standard_deviation_holds_the_truth_and_has_the_unit_of_the_scores() -> None:
    X = grid(7, 7)
    y = noisy(X)
    new = np.random.default_rng(5).random((400, 2))
    gp = GPSurrogate().fit(X, y)
    off = np.abs(gp.predict(new) - hill(new)) / gp.std(new)
    assert 0.8 < np.mean(off < 2) <= 1.0
    assert gp.std([[0.5, 0.5]]) < gp.std([[0.0, 0.0]])
    assert GPSurrogate().fit(X, 1e6 * y + 1e9).std(new) == pytest.approx(1e6 * gp.std(new), rel=1e-3)


def test_an_interpolant_says_that_it_has_no_standard_deviation() -> None:
    X = grid(5, 5)
    with pytest.raises(NoDeviationError, match="cubic surrogate has no standard deviation; take gp"):
        RBFSurrogate("cubic").fit(X, hill(X)).std(X)


def test_closed_form_leave_one_out_equals_leaving_out_each_row_of_the_covariance() -> None:
    X = grid(5, 5)
    y = noisy(X)
    surrogate = GPSurrogate().fit(X, y)
    K = surrogate._factor @ surrogate._factor.T
    by_hand = []
    for i in range(len(X)):
        rest = np.arange(len(X)) != i
        mean = y.mean()  # Held, as are the hyperparameters.
        by_hand.append(y[i] - mean - K[i, rest] @ np.linalg.solve(K[np.ix_(rest, rest)], y[rest] - mean))
    assert surrogate.loo_residuals() == pytest.approx(np.array(by_hand), abs=1e-8)


def test_smooths_noise_away_that_an_interpolant_keeps() -> None:
    X = grid(7, 7)
    y = noisy(X, 0.15)
    new = np.random.default_rng(2).random((400, 2))
    errors = {
        type(one): np.sqrt(np.mean((one.fit(X, y).predict(new) - hill(new)) ** 2))
        for one in (GPSurrogate(), RBFSurrogate())
    }
    assert errors[GPSurrogate] < 0.75 * errors[RBFSurrogate]
    gp = GPSurrogate().fit(X, y)
    assert exact_loocv(gp, X, y, only_interior=False) < exact_loocv(RBFSurrogate().fit(X, y), X, y, only_interior=False)


def test_goes_through_scores_without_noise() -> None:
    X = grid(5, 5)
    assert GPSurrogate().fit(X, hill(X)).predict(X) == pytest.approx(hill(X), abs=2e-3)


@pytest.mark.parametrize("make", [GPSurrogate, RBFSurrogate, lambda: RBFSurrogate("gaussian")])
def test_predictions_are_weighted_scores(make: Callable[[], Surrogate]) -> None:
    X = grid(5, 5, 4)
    y = noisy(X)
    surrogate = make().fit(X, y)
    new = np.random.default_rng(3).random((20, 3))
    weights = surrogate.weights(new)
    assert weights.shape == (20, 100)
    assert weights @ y == pytest.approx(surrogate.predict(new), abs=1e-7)
    assert weights.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-7)


def test_is_the_same_every_time_and_follows_the_units_of_the_scores() -> None:
    X = grid(5, 5)
    y = noisy(X)
    new = np.random.default_rng(4).random((20, 2))
    first = GPSurrogate().fit(X, y)
    assert np.array_equal(first.predict(new), GPSurrogate().fit(X, y).predict(new))
    assert GPSurrogate().fit(X, 100 * y - 7).predict(new) == pytest.approx(100 * first.predict(new) - 7, abs=1e-3)
    sent = pickle.loads(pickle.dumps(first))  # noqa: S301 - as to a worker
    assert np.array_equal(sent.predict(new), first.predict(new))
    other = copy.copy(first).fit(X, -y)
    assert not np.allclose(other.predict(new), first.predict(new))


def test_refuses_what_it_cannot_use() -> None:
    with pytest.raises(TooFewPointsError, match="at least 6 points in 2 dimensions"):
        GPSurrogate().fit(grid(2, 2)[:4], np.arange(4.0))
    with pytest.raises(NotFittedError):
        GPSurrogate().weights([[0.5, 0.5]])


def test_surrogates_are_found_by_name() -> None:
    assert isinstance(registry.make("gp"), GPSurrogate)
    assert registry.make("cubic").settings["kernel"] == "cubic"
    assert {registry.make(name).settings["kernel"] for name in registry.NAMES} == set(registry.NAMES)
    with pytest.raises(UnknownKernelError, match=r"did you mean 'cubic'.*gp"):
        registry.make("cubik")
