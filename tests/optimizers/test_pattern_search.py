import numpy as np
import pytest

from optimizers import InvalidSettingError
from optimizers.pattern_search import PatternSearch, compass_search


def climb(search, objective):
    """Runs a local search to its end; returns its points and its reason."""
    points = [next(search)]
    while True:
        try:
            points.append(search.send(objective(points[-1])))
        except StopIteration as end:
            return np.array(points), end.value


def quadratic(centre, weights):
    return lambda x: -float(np.sum(weights * (x - centre) ** 2))


@pytest.mark.parametrize("tolerance", [0.01, 1e-4])
def test_it_ends_within_the_last_step_of_the_optimum(tolerance: float) -> None:
    centre = np.array([0.313, 0.771])
    objective = quadratic(centre, np.array([1.0, 5.0]))
    X, reason = climb(compass_search(np.array([0.9, 0.1]), step=0.25, tolerance=tolerance), objective)
    best = X[np.argmax([objective(x) for x in X])]
    # On a separable quadratic no poll improves once each coordinate is within half of the last step polled.
    assert np.abs(best - centre).max() <= tolerance
    assert reason == f"step below {tolerance:g}"


def test_it_polls_every_axis_both_ways_before_it_halves() -> None:
    X, _ = climb(compass_search(np.array([0.5, 0.5]), step=0.25, tolerance=0.125), quadratic(np.array([0.5, 0.5]), 1.0))
    expected = [[0.5, 0.5]]
    expected += [[0.75, 0.5], [0.25, 0.5], [0.5, 0.75], [0.5, 0.25]]
    expected += [[0.625, 0.5], [0.375, 0.5], [0.5, 0.625], [0.5, 0.375]]
    assert X.tolist() == expected


def test_the_direction_that_won_is_polled_first() -> None:
    X, _ = climb(compass_search(np.array([0.5, 0.1]), step=0.2, tolerance=0.19), lambda x: float(x[1]))
    assert np.allclose(X[3], [0.5, 0.3])
    assert np.allclose(X[4], [0.5, 0.5])


def test_an_optimum_in_a_corner_is_found_exactly() -> None:
    optimizer = PatternSearch(3, seed=2, budget=60)
    best = -np.inf
    for _ in range(60):
        x = optimizer.ask()
        optimizer.tell(x, float(x.sum()))
        best = max(best, float(x.sum()))
    assert best == 3.0


def test_restarts_are_logged() -> None:
    optimizer = PatternSearch(1, seed=0, budget=40)
    for _ in range(40):
        x = optimizer.ask()
        optimizer.tell(x, -abs(float(x[0]) - 0.3))
    assert optimizer.restarts
    assert {restart.reason for restart in optimizer.restarts} == {"step below 0.025"}


@pytest.mark.parametrize("options", [{"step": 0.0}, {"step": 1.5}, {"tolerance": -1}, {"step": 0.1, "tolerance": 0.2}])
def test_bad_options(options) -> None:
    with pytest.raises(InvalidSettingError):
        PatternSearch(2, seed=0, budget=5, **options)
