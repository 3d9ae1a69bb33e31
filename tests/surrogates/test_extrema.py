from collections.abc import Callable

import numpy as np
import pytest

from surrogates import extrema
from surrogates.extrema import maximum, minimum
from surrogates.rbf import RBFSurrogate

NONE = {dim: np.full((1, dim), 0.123) for dim in (1, 2, 3)}


def hill(at: list[float]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda X: np.exp(-3 * ((X - at) ** 2).sum(1))


def branin(X: np.ndarray) -> np.ndarray:
    """Minus Branin's function on the unit square; global maximum -0.397887 at three places."""
    a, b = 15 * X[:, 0] - 5, 15 * X[:, 1]
    quadratic = (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2
    return -(quadratic + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)


@pytest.mark.parametrize("at", [[0.3, 0.81], [1.0, 0.5], [0.0, 0.0], [0.2, 1.0, 0.77]])
def test_finds_a_hilltop_inside_on_a_face_and_in_a_corner(at: list[float]) -> None:
    found = maximum(hill(at), len(at), nodes=NONE[len(at)])
    assert found.x == pytest.approx(at, abs=1e-4)
    assert found.score == pytest.approx(1.0, abs=1e-8)
    assert found.gap < 1e-8


def test_finds_the_global_one_among_many() -> None:
    found = maximum(branin, 2, nodes=NONE[2])
    assert found.score == pytest.approx(-0.39788736, abs=1e-7)
    assert found.gap < 1e-6
    # Highest in the corner (-5, 0): 308.129, a known value.
    assert minimum(branin, 2, nodes=NONE[2]).score == pytest.approx(-308.12909601, abs=1e-6)


@pytest.mark.parametrize(("dim", "seed"), [*((2, seed) for seed in range(10)), (3, 27)])
def test_the_highest_of_a_hundred_peaks_is_found(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres, heights, slopes = rng.random((100, dim)), rng.uniform(0.1, 0.9, 100), rng.uniform(40, 400, 100)
    heights[0] = 1.0

    def peaks(X: np.ndarray) -> np.ndarray:
        return (heights * np.exp(-slopes * ((X[:, None] - centres) ** 2).sum(axis=2))).max(axis=1)

    found = maximum(peaks, dim, nodes=NONE[dim])
    assert found.score == pytest.approx(1.0, abs=1e-8)
    assert found.x == pytest.approx(centres[0], abs=1e-4)


def test_waves_on_a_slope_in_three_dimensions() -> None:
    def waves(X: np.ndarray) -> np.ndarray:
        return np.sin(12 * X).sum(axis=1) + 0.4 * X.sum(axis=1)

    line = np.linspace(0, 1, 1_000_001)
    per_axis = np.sin(12 * line) + 0.4 * line
    assert maximum(waves, 3, nodes=NONE[3]).score == pytest.approx(3 * per_axis.max(), abs=1e-6)
    assert minimum(waves, 3, nodes=NONE[3]).score == pytest.approx(3 * per_axis.min(), abs=1e-6)


@pytest.mark.parametrize("kernel", ["thin_plate_spline", "cubic", "linear", "gaussian", "multiquadric"])
@pytest.mark.parametrize("levels", [(5, 5), (5, 5, 4)])
def test_nothing_on_a_rugged_surrogate_lies_beyond_its_extrema(kernel: str, levels: tuple[int, ...]) -> None:
    X = np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in levels], indexing="ij"), -1).reshape(-1, len(levels))
    rng = np.random.default_rng(5)
    y = hill([0.7, 0.3, 0.5][: len(levels)])(X) + 0.2 * rng.normal(size=len(X))
    surrogate = RBFSurrogate(kernel).fit(X, y)
    high, low = (find(surrogate.predict, len(levels), nodes=X) for find in (maximum, minimum))
    fresh = surrogate.predict(np.vstack([rng.random((20_000, len(levels))), X]))
    assert high.score >= max(fresh.max(), y.max()) - 1e-9
    assert low.score <= min(fresh.min(), y.min()) + 1e-9
    assert surrogate.predict(np.array([high.x, low.x])) == pytest.approx([high.score, low.score], abs=1e-12)
    assert max(high.gap, low.gap) < 1e-6


def test_the_unit_of_the_scores_does_not_matter() -> None:
    for unit in (1e-9, 1e9):
        found = maximum(lambda X, unit=unit: unit * hill([0.31, 0.62])(X), 2, nodes=NONE[2])
        assert found.x == pytest.approx([0.31, 0.62], abs=1e-3)


def test_the_gap_tells_when_one_search_was_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extrema, "_spread_and_climb", lambda function, dim: (np.array([0.0, 0.0]), 0.25))
    found = maximum(hill([0.5, 0.5]), 2, nodes=NONE[2])
    assert found.score == pytest.approx(1.0)
    assert found.gap == pytest.approx(0.75)


def test_a_needle_at_a_node_is_not_missed() -> None:
    def needle(X: np.ndarray) -> np.ndarray:
        return hill([0.2, 0.2])(X) + 3 * (np.abs(X - [0.617, 0.433]).max(axis=1) < 1e-9)

    assert maximum(needle, 2, nodes=np.array([[0.617, 0.433]])).score > 3


def test_is_the_same_every_time() -> None:
    first, second = (maximum(branin, 2, nodes=NONE[2]) for _ in range(2))
    assert np.array_equal(first.x, second.x)
    assert first.score == second.score


@pytest.mark.parametrize("seed", [104, 108, 116])
def test_both_searches_reach_a_minimum_in_a_corner_of_a_noisy_plain(seed: int) -> None:
    X = np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in (5, 5, 4)], indexing="ij"), -1).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    noise = 0.05 * rng.normal(size=len(X))
    y = noise + 0.7 * np.exp(-4 * ((X - rng.random(3)) ** 2).sum(1))
    assert minimum(RBFSurrogate().fit(X, y).predict, 3, nodes=X).gap < 1e-6
