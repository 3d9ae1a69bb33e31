import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from optimizers.powell import conjugate_directions, maximise_on_interval


def climb(search, objective):
    """Runs a local search to its end; returns its points and its reason."""
    points = [next(search)]
    while True:
        try:
            points.append(search.send(objective(points[-1])))
        except StopIteration as end:
            return np.array(points), end.value


def ellipsoid(x):
    z = np.array([[1.0, 0.6, 0.1], [0.0, 1.0, -0.4], [0.0, 0.0, 1.0]])[: len(x), : len(x)] @ (x - 0.45)
    return -float(np.sum(np.array([1.0, 9.0, 3.0])[: len(x)] * z**2))


def rosenbrock(x):
    z = 3.0 * x - 1.0
    return -float(np.sum(100.0 * (z[1:] - z[:-1] ** 2) ** 2 + (1.0 - z[:-1]) ** 2))


def ripple(x):
    return float(np.sin(7.0 * x[0]) + np.cos(5.0 * x[1]) + x.sum())


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
@pytest.mark.parametrize(
    "objective", [lambda t: -((t - 0.3) ** 2), lambda t: np.sin(9 * t), lambda t: t, lambda t: -abs(t - 0.7), np.floor]
)
def test_brent_walks_where_scipy_walks(objective, tolerance: float) -> None:
    theirs = []

    def negative(t):
        theirs.append(t)
        return -objective(t)

    result = minimize_scalar(negative, bounds=(-0.5, 1.0), method="bounded", options={"xatol": tolerance})
    ours, best = climb(maximise_on_interval(-0.5, 1.0, tolerance=tolerance), objective)
    assert ours.tolist() == pytest.approx(theirs, abs=1e-9)
    assert best == pytest.approx(result.x, abs=1e-9)


def test_brent_gets_past_failures() -> None:
    X, best = climb(maximise_on_interval(0.0, 1.0, tolerance=1e-3), lambda t: -np.inf if t < 0.5 else -((t - 0.8) ** 2))
    assert best == pytest.approx(0.8, abs=1e-3)
    assert len(X) < 30


@pytest.mark.parametrize("objective", [ellipsoid, rosenbrock, ripple])
@pytest.mark.parametrize("start", [[0.2, 0.9], [0.7, 0.35]])
def test_powell_begins_as_scipy_does(objective, start) -> None:
    """The same points until the first new direction: from there ours has unit length, scipy's has not."""
    theirs = []

    def negative(x):
        theirs.append(x.copy())
        return -objective(x)

    options = {"xtol": 1e-3, "ftol": 1e-3}
    minimize(negative, start, method="Powell", bounds=[(0, 1)] * 2, options=options)
    ours, _ = climb(conjugate_directions(np.array(start), tolerance=1e-3), objective)
    # A sweep of two lines and the extrapolated point.
    first_line = np.flatnonzero(np.abs(np.array(theirs)[:, 1] - start[1]) > 1e-12)[0]
    shared = first_line + 8
    assert np.abs(ours[:shared] - np.array(theirs)[:shared]).max() < 1e-9


@pytest.mark.parametrize("objective", [ellipsoid, rosenbrock])
@pytest.mark.parametrize("dim", [2, 3])
def test_powell_ends_where_scipy_ends(objective, dim: int) -> None:
    start = np.linspace(0.15, 0.8, dim)
    options = {"xtol": 1e-6, "ftol": 1e-10}
    theirs = minimize(lambda x: -objective(x), start, method="Powell", bounds=[(0, 1)] * dim, options=options)
    # The same gain in the end: ours compares it with the gain since the start, which is of order 100 here.
    ours, reason = climb(conjugate_directions(start, tolerance=1e-9), objective)
    scores = [objective(x) for x in ours]
    assert max(scores) == pytest.approx(0.0, abs=1e-5)
    assert max(scores) >= -theirs.fun - 1e-5
    assert len(ours) < 2 * theirs.nfev
    assert reason == "a sweep gained less than 1e-09 of the search's gain"


def test_a_quadratic_takes_about_as_many_sweeps_as_dimensions() -> None:
    """Powell's theorem: conjugate after dim sweeps; with exact lines of some 6 evaluations that is soon."""
    ours, _ = climb(conjugate_directions(np.array([0.1, 0.9]), tolerance=1e-4), ellipsoid)
    assert min(-ellipsoid(x) for x in ours[:40]) < 1e-6


def test_a_loose_line_search_is_cheaper() -> None:
    tight, _ = climb(maximise_on_interval(0.0, 1.0, tolerance=1e-4), lambda t: np.exp(-4.0 * abs(t - 0.37) ** 1.5))
    loose, _ = climb(maximise_on_interval(0.0, 1.0, tolerance=1e-2), lambda t: np.exp(-4.0 * abs(t - 0.37) ** 1.5))
    assert len(loose) < len(tight)


def test_a_corner_is_reached() -> None:
    ours, _ = climb(conjugate_directions(np.array([0.4, 0.6]), tolerance=1e-3), lambda x: float(x.sum()))
    assert ours.max(axis=0).min() > 0.99


@pytest.mark.parametrize("scale", [2.0**600, 2.0**-600])
def test_the_scale_of_the_scores_does_not_matter(scale: float) -> None:
    """A power of two rounds nothing, so the points are the very same ones."""
    start = np.array([0.7, 0.35])
    usual, _ = climb(conjugate_directions(start, tolerance=1e-3), rosenbrock)
    scaled, _ = climb(conjugate_directions(start, tolerance=1e-3), lambda x: scale * rosenbrock(x))
    assert np.array_equal(usual, scaled)


@pytest.mark.parametrize("start", [[0.2, 0.9], [0.7, 0.35]])
def test_the_largest_scores_there_are_stop_nothing(start) -> None:
    ours, reason = climb(conjugate_directions(np.array(start), tolerance=0.1), lambda x: 1e306 * rosenbrock(x))
    assert np.isfinite(ours).all()
    assert "gained less" in reason
