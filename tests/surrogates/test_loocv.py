import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from surrogates.loocv import exact_loocv, interior, study_loocv
from surrogates.rbf import RBFSurrogate


def grid(*levels: int) -> np.ndarray:
    return np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in levels], indexing="ij"), -1).reshape(-1, len(levels))


def rugged(X: np.ndarray) -> np.ndarray:
    return 7 * np.cos(6 * X).prod(axis=1) + np.random.default_rng(1).normal(size=len(X))


@pytest.mark.parametrize(("levels", "count"), [((5, 5), 9), ((5, 5, 4), 18), ((5, 5, 2), 0)])
def test_interior_points_touch_no_face(levels: tuple[int, ...], count: int) -> None:
    X = grid(*levels)
    assert interior(X).sum() == count
    assert ((X[interior(X)] > 0) & (X[interior(X)] < 1)).all()


def test_the_studys_protocol_is_this_loop() -> None:
    X = grid(5, 5, 4)
    y = rugged(X)
    inner = [i for i, x in enumerate(X) if all(0 < v < 1 for v in x)]
    rng = np.random.default_rng(7)
    squares = []
    for _ in range(20):
        i = inner[rng.integers(len(inner))]
        rest = RBFInterpolator(np.delete(X, i, 0), np.delete(y, i), kernel="thin_plate_spline")
        squares.append((rest(X[[i]])[0] - y[i]) ** 2)
    expected = 100 * np.sqrt(np.mean(squares)) / (y.max() - y.min())
    measured = study_loocv(RBFSurrogate(), X, y, rng=np.random.default_rng(7))
    assert measured == pytest.approx(expected)


def test_many_repeats_approach_the_exact_figure_over_interior_points() -> None:
    X = grid(5, 5)
    y = rugged(X)
    surrogate = RBFSurrogate().fit(X, y)
    exact = exact_loocv(surrogate, X, y, only_interior=True)
    many = study_loocv(surrogate, X, y, rng=np.random.default_rng(0), repeats=4000)
    assert many == pytest.approx(exact, rel=0.03)
    assert exact_loocv(surrogate, X, y, only_interior=False) > 1.1 * exact


def test_is_seeded_and_leaves_the_surrogate_alone() -> None:
    X = grid(5, 5)
    y = rugged(X)
    surrogate = RBFSurrogate("gaussian").fit(X, y)
    before = surrogate.predict([[0.4, 0.1]])
    twice = [study_loocv(surrogate, X, y, rng=np.random.default_rng(3)) for _ in range(2)]
    assert twice[0] == twice[1] != study_loocv(surrogate, X, y, rng=np.random.default_rng(4))
    assert surrogate.predict([[0.4, 0.1]]) == before


def test_does_not_depend_on_the_unit_of_the_scores() -> None:
    X = grid(5, 5)
    y = rugged(X)
    plain, scaled = (study_loocv(RBFSurrogate(), X, v, rng=np.random.default_rng(0)) for v in (y, 40 - 1000 * y))
    assert plain == pytest.approx(scaled)


def test_is_undefined_without_interior_points_or_range() -> None:
    X = grid(5, 2)
    assert np.isnan(study_loocv(RBFSurrogate(), X, X[:, 0], rng=np.random.default_rng(0)))
    assert np.isnan(exact_loocv(RBFSurrogate().fit(X, X[:, 0]), X, X[:, 0], only_interior=True))
    flat = np.ones(25)
    assert np.isnan(study_loocv(RBFSurrogate(), grid(5, 5), flat, rng=np.random.default_rng(0)))
