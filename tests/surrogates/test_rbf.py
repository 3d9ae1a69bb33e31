import copy
import pickle

import numpy as np
import pytest

from surrogates.errors import InvalidDataError, NotFittedError, TooFewPointsError, UnknownKernelError
from surrogates.rbf import KERNELS, RBFSurrogate

NAMES = list(KERNELS)


def grid(*levels: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in levels], indexing="ij"), -1).reshape(-1, len(levels))


def noisy_hill(X: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.exp(-4 * ((X - 0.6) ** 2).sum(1)) + 0.1 * np.random.default_rng(seed).normal(size=len(X))


DESIGNS = [
    grid(5, 5),
    grid(5, 5, 4),
    np.random.default_rng(3).random((30, 2)),
    np.random.default_rng(4).random((40, 3)),
]


@pytest.mark.parametrize("X", DESIGNS, ids=["5x5", "5x5x4", "irregular-2d", "irregular-3d"])
@pytest.mark.parametrize("kernel", NAMES)
def test_goes_through_every_recorded_score(kernel: str, X: np.ndarray) -> None:
    y = noisy_hill(X)
    assert RBFSurrogate(kernel).fit(X, y).predict(X) == pytest.approx(y, abs=1e-7)


@pytest.mark.parametrize("X", DESIGNS, ids=["5x5", "5x5x4", "irregular-2d", "irregular-3d"])
@pytest.mark.parametrize("kernel", NAMES)
def test_closed_form_leave_one_out_equals_refitting_without_each_point(kernel: str, X: np.ndarray) -> None:
    y = noisy_hill(X)
    surrogate = RBFSurrogate(kernel).fit(X, y)
    # The closed form holds the shape parameter at its value for all points.
    held = surrogate.epsilon if KERNELS[kernel].shaped else None
    by_hand = [
        y[i] - RBFSurrogate(kernel, epsilon=held).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[[i]])[0]
        for i in range(len(X))
    ]
    assert surrogate.loo_residuals() == pytest.approx(np.array(by_hand), rel=1e-5, abs=1e-7)


def test_leave_one_out_of_a_plane_is_zero_and_of_a_lone_spike_is_not() -> None:
    X = grid(4, 4)
    plane = 2 * X[:, 0] - X[:, 1] + 3
    assert RBFSurrogate().fit(X, plane).loo_residuals() == pytest.approx(np.zeros(16), abs=1e-9)
    spike = plane + (np.arange(16) == 5)
    assert RBFSurrogate().fit(X, spike).loo_residuals()[5] == pytest.approx(1.0)


def test_the_tail_carries_a_slope_where_the_kernel_needs_one() -> None:
    X = grid(3, 3)
    between = np.array([[0.1, 0.7], [0.9, 0.4]])
    for kernel in ("thin_plate_spline", "cubic"):
        predicted = RBFSurrogate(kernel).fit(X, X @ [3.0, -2.0]).predict(between)
        assert predicted == pytest.approx(between @ [3.0, -2.0])


def test_a_point_without_which_the_tail_is_lost_has_no_residual() -> None:
    # Three points on a line and one beside it, which alone tells the slope across.
    X = np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [0.3, 1.0]])
    residuals = RBFSurrogate().fit(X, np.array([0.0, 1.0, 0.5, 2.0])).loo_residuals()
    assert np.isnan(residuals[3])
    assert np.isfinite(residuals[:3]).all()


@pytest.mark.filterwarnings("error")
def test_a_lone_point_has_no_residual() -> None:
    assert np.isnan(RBFSurrogate("linear").fit([[0.5, 0.5]], [1.0]).loo_residuals()).all()


def test_a_fit_that_fails_leaves_nothing_to_predict_with() -> None:
    """It predicted with the first fit's weights in the units of the second."""
    fitted = RBFSurrogate().fit(grid(5, 5), np.arange(25.0))
    with pytest.raises(InvalidDataError, match="on a line"):
        fitted.fit(np.linspace(0, 1, 20)[:, None].repeat(2, 1), 1e6 * np.arange(20.0))
    with pytest.raises(NotFittedError):
        fitted.predict([[0.5, 0.5]])


@pytest.mark.parametrize("kernel", ["gaussian", "multiquadric"])
def test_the_shape_is_the_one_with_least_leave_one_out_error_that_is_well_conditioned(kernel: str) -> None:
    X = grid(5, 5)
    # Smooth enough that an unbounded choice would go for the flattest, worst conditioned shape.
    y = np.exp(-((X - 0.6) ** 2).sum(1))
    chosen = RBFSurrogate(kernel).fit(X, y)
    errors = {}
    for epsilon in np.geomspace(0.1, 1.5, 16) / 0.25:
        candidate = RBFSurrogate(kernel, epsilon=float(epsilon)).fit(X, y)
        system, _ = candidate._system(X, float(epsilon))
        if np.linalg.cond(system, 1) < 1e10:
            errors[float(epsilon)] = float(np.sum(candidate.loo_residuals() ** 2))
    assert chosen.epsilon == pytest.approx(min(errors, key=lambda epsilon: errors[epsilon]))
    assert 3 <= len(errors) < 16


def test_a_refit_forgets_the_shape_of_the_first_fit() -> None:
    X = grid(5, 5)
    smooth, noise = np.exp(-((X - 0.5) ** 2).sum(1)), np.random.default_rng(0).normal(size=25)
    once = RBFSurrogate("gaussian").fit(X, noise)
    twice = RBFSurrogate("gaussian").fit(X, smooth).fit(X, noise)
    assert twice.epsilon == once.epsilon
    assert RBFSurrogate("gaussian").fit(X, smooth).epsilon != once.epsilon


def test_a_copy_is_independent_and_a_pickle_predicts_the_same() -> None:
    X, between = grid(5, 5), np.array([[0.31, 0.77]])
    first = RBFSurrogate().fit(X, noisy_hill(X))
    before = first.predict(between)
    copy.copy(first).fit(X, noisy_hill(X, seed=9))
    assert first.predict(between) == before
    assert pickle.loads(pickle.dumps(first)).predict(between) == before  # noqa: S301


@pytest.mark.parametrize(
    ("kernel", "dim", "least"), [("thin_plate_spline", 2, 4), ("cubic", 3, 5), ("linear", 2, 2), ("gaussian", 3, 2)]
)
def test_needs_one_point_more_than_the_tail(kernel: str, dim: int, least: int) -> None:
    surrogate = RBFSurrogate(kernel)
    assert surrogate.least_points(dim) == least
    X = np.random.default_rng(0).random((least, dim))
    assert np.isfinite(surrogate.fit(X, np.arange(least)).loo_residuals()).all()
    with pytest.raises(TooFewPointsError, match=f"at least {least} points in {dim} dimensions"):
        surrogate.fit(X[: least - 2], np.arange(least - 2))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (grid(5, 5)[:, 0], np.zeros(25), "must have shape"),
        (grid(5, 5), np.zeros(24), "scores of shape"),
        (grid(5, 5), np.where(np.arange(25) == 3, np.nan, 1.0), "score 3 is not finite"),
        (grid(5, 5) * 1.4, np.zeros(25), "outside the unit cube"),
        (np.full((25, 2), np.nan), np.zeros(25), "outside the unit cube"),
        (np.vstack([grid(5, 5), [[0.25, 0.5]]]), np.zeros(26), "coincide"),
        (np.repeat(np.linspace(0, 1, 9)[:, None], 2, axis=1), np.arange(9.0), "line or plane"),
    ],
)
def test_refuses_data_that_determine_nothing(X: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        RBFSurrogate().fit(X, y)


def test_refuses_to_extrapolate_and_to_predict_before_a_fit() -> None:
    with pytest.raises(NotFittedError):
        RBFSurrogate().predict([[0.5, 0.5]])
    fitted = RBFSurrogate().fit(grid(5, 5), np.arange(25.0))
    with pytest.raises(InvalidDataError, match="outside the unit cube"):
        fitted.predict([[0.5, 1.01]])
    with pytest.raises(InvalidDataError, match="2 coordinates, not 3"):
        fitted.predict([[0.5, 0.5, 0.5]])


def test_unknown_kernel_and_senseless_shape() -> None:
    with pytest.raises(UnknownKernelError, match="did you mean 'gaussian'"):
        RBFSurrogate("gausian")
    with pytest.raises(InvalidDataError, match="epsilon"):
        RBFSurrogate("cubic", epsilon=1.0)
    with pytest.raises(InvalidDataError, match="epsilon"):
        RBFSurrogate("gaussian", epsilon=-1.0)
