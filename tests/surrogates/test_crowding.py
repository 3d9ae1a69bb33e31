"""Points too near for their scores must not throw a surrogate up; units and offsets of scores must not matter."""

import numpy as np
import pytest

from surrogates import registry
from surrogates.crowding import steep_pairs
from surrogates.errors import InvalidDataError
from surrogates.extrema import maximum, minimum
from surrogates.loocv import exact_loocv
from surrogates.rbf import RBFSurrogate
from surrogates.scale import Scale, are_equal

AXIS = np.linspace(0, 1, 5)
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), -1).reshape(-1, 2)
WHERE = np.random.default_rng(1).random((3000, 2))


def hill(X: np.ndarray) -> np.ndarray:
    return np.exp(-3 * ((X - 0.4) ** 2).sum(1)) + 0.02 * np.random.default_rng(0).normal(size=len(X))


@pytest.mark.parametrize("name", registry.NAMES)
@pytest.mark.parametrize("apart", [1e-12, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2])
def test_near_duplicates_that_disagree_do_not_throw_the_surrogate_up(name: str, apart: float) -> None:
    y = hill(GRID)
    beside = np.abs(GRID[[7, 12]] - [0.6 * apart, 0.8 * apart])
    X, y = np.vstack([GRID, beside]), np.append(y, y[[7, 12]] + [0.4, -0.4])
    surrogate = registry.make(name).fit(X, y)
    found = surrogate.predict(WHERE)
    assert found.max() < y.max() + 0.2 * np.ptp(y)
    assert found.min() > y.min() - 0.2 * np.ptp(y)
    # It passes between the two, and through everything else.
    between = surrogate.predict(X)[[7, 12]]
    assert np.all((between > np.minimum(y[[7, 12]], y[-2:]) - 0.1) & (between < np.maximum(y[[7, 12]], y[-2:]) + 0.1))
    if name != "gp":
        single = np.delete(np.arange(25), [7, 12])
        assert surrogate.predict(X)[single] == pytest.approx(y[single], abs=1e-6)
    assert surrogate.weights(WHERE[:5]) @ y == pytest.approx(surrogate.predict(WHERE[:5]), abs=1e-6)
    assert exact_loocv(surrogate, X, y, only_interior=False) < 60


@pytest.mark.parametrize("name", registry.NAMES)
def test_a_design_of_near_duplicates_alone(name: str) -> None:
    """Every setting twice, 1e-8 apart."""
    X = np.vstack([GRID, np.abs(GRID - 1e-8)])
    y = hill(X)
    found = registry.make(name).fit(X, y).predict(WHERE)
    assert found.max() < y.max() + 0.2 * np.ptp(y)
    assert np.abs(found - hill(WHERE)).max() < 0.3


def test_points_of_a_grid_are_never_crowded() -> None:
    rng = np.random.default_rng(0)
    for shape in ((5, 5), (15, 15), (5, 5, 4), (20, 3), (40,), (3, 3, 3, 3)):
        X = np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in shape], indexing="ij"), -1).reshape(-1, len(shape))
        assert not steep_pairs(X, rng.choice([0.0, 1.0], len(X))).any()


def test_coinciding_points_are_refused() -> None:
    X = np.vstack([GRID, GRID[:1]])
    with pytest.raises(InvalidDataError, match="two points coincide"):
        RBFSurrogate().fit(X, hill(X))


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-4])
def test_designs_that_are_nearly_a_line_are_refused(apart: float) -> None:
    x = np.linspace(0, 1, 12)
    X = np.clip(np.stack([x, x + apart * np.cos(9 * x)], axis=1), 0, 1)
    with pytest.raises(InvalidDataError, match="lie on a line or plane, or nearly"):
        RBFSurrogate().fit(X, x)


@pytest.mark.parametrize("name", registry.NAMES)
@pytest.mark.parametrize(
    ("factor", "offset"), [(1e12, 0.0), (1e-12, 0.0), (1e300, 0.0), (1e-300, 0.0), (1.0, 1e9), (1e-3, -1e9)]
)
def test_units_and_offsets_of_scores_do_not_matter(name: str, factor: float, offset: float) -> None:
    y = factor * hill(GRID) + offset
    plain = registry.make(name).fit(GRID, (y - offset) / factor)
    scaled = registry.make(name).fit(GRID, y)
    resolution = 4 * np.spacing(np.abs(y).max()) / factor
    assert (scaled.predict(WHERE) - offset) / factor == pytest.approx(plain.predict(WHERE), abs=1e-7 + resolution)
    assert scaled.loo_residuals() / factor == pytest.approx(plain.loo_residuals(), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("power", [-1060, -40, 0, 40, 1000])
def test_powers_of_two_change_no_bit(power: int) -> None:
    # Few digits, so that the smallest numbers there are hold them.
    y = np.round(hill(GRID) * 256) / 256
    plain, scaled = RBFSurrogate().fit(GRID, y), RBFSurrogate().fit(GRID, np.ldexp(y, power))
    assert np.array_equal(scaled.standard(WHERE), plain.standard(WHERE))


def test_extremes_are_found_in_any_unit() -> None:
    y = hill(GRID)
    plain = maximum(RBFSurrogate().fit(GRID, y).predict, 2, nodes=GRID)
    for factor in (2.0**40, 2.0**-40):
        predict = RBFSurrogate().fit(GRID, factor * y).predict
        found = maximum(predict, 2, nodes=GRID)
        assert np.array_equal(found.x, plain.x)
        assert found.score == factor * plain.score
        assert minimum(predict, 2, nodes=GRID).gap < 1e-6 * factor


def test_scales_round_nothing() -> None:
    for y in (
        [0.25, 0.75],
        [1e9, 1e9 + 0.5],
        [-1e300, 1e300],
        [5e-324, 1e-323],
        [3.0, 3.0],
        [0.0, 0.0],
        [1e308, -1e308],
    ):
        scale = Scale.of(y)
        assert scale.from_standard(scale.to_standard(y)).tolist() == y
        assert np.abs(scale.to_standard(y)).max() <= 1024
    assert Scale.of([0.2, 0.9]).offset == 0.0
    assert Scale.of([1e9, 1e9 + 0.5]).offset != 0.0
    assert are_equal([0.3, 0.1 + 0.2])
    assert are_equal([0.0])
    assert not are_equal([1e-12, 2e-12])
    assert not are_equal([1e9, 1e9 + 1e-3])
