"""What landscapes are like is told by formulas whose answers are known. Numbers are SYNTHETIC."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import synthetic

from landscapes.grid import RecordedGrid
from landscapes.landscape import Landscape
from landscapes.suites.features import Features, features, standardised

LEVELS = tuple(np.linspace(0, 1, 15).tolist())


def of(
    score: Callable[[np.ndarray], np.ndarray], levels: tuple[float, ...] = LEVELS, *, integer: bool = False
) -> Features:
    """Features of a function of a square, recorded on a grid of these levels with a standard error of .01."""
    parameters = tuple(
        synthetic.CardParameter(axis, levels[0], levels[-1], levels, integer=integer) for axis in ("a", "b")
    )
    card = synthetic.card("made/up", parameters=parameters, method="other")
    X = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1, 2)
    unknown = np.full(len(X), np.nan)
    scores = score(X)
    grid = RecordedGrid(
        ("a", "b"), X, scores, np.full(len(X), 0.01), np.full(len(X), 1), unknown, unknown, "validation", Path("made")
    )
    return features(Landscape(card, grid))


def test_a_plane_has_slope_one_and_its_best_on_an_edge() -> None:
    found = of(lambda X: 3 * X[:, 0])
    assert found.dimensions == 2
    assert found.slope == pytest.approx(1, abs=0.02)
    assert found.plateau == pytest.approx(0.1, abs=0.01)
    assert found.edge == pytest.approx(0, abs=0.01)
    assert found.median == pytest.approx(0.5, abs=0.01)
    assert found.noise == pytest.approx(0.01 / 3)
    assert found.roughness < 0.01


def test_a_plane_over_whole_numbers_is_as_steep_as_any() -> None:
    levels = (1.0, 2.0, 3.0, 4.0)
    whole, any_ = (of(lambda X: X[:, 0] / 4, levels, integer=integer) for integer in (True, False))
    assert whole.slope == pytest.approx(1, abs=0.05)
    assert "cliff" not in whole.shape
    assert any_.slope == pytest.approx(whole.slope, rel=0.01)


def test_a_round_hill_is_one_and_a_long_one_a_ridge() -> None:
    hill = of(lambda X: -((X - 0.5) ** 2).sum(1))
    assert hill.shape == ("hill",)
    assert hill.roundness == pytest.approx(1, abs=0.05)
    assert hill.edge == pytest.approx(0.5, abs=0.03)
    assert hill.plateau == pytest.approx(np.pi * 0.05, abs=0.01)
    assert of(lambda X: np.exp(-8 * (X[:, 0] - X[:, 1]) ** 2)).shape == ("ridge",)


def test_a_step_is_a_cliff_before_a_plateau() -> None:
    assert of(lambda X: np.tanh(20 * (X[:, 0] - 0.3))).shape == ("plateau", "cliff")


def test_standardised_features_do_not_hang_on_units_and_unknown_ones_are_in_the_middle() -> None:
    known = [of(lambda X, k=k: -((X - k) ** 2).sum(1)) for k in (0.1, 0.3, 0.5)]
    table = standardised(known)
    assert table.mean(axis=0) == pytest.approx(np.zeros(8), abs=1e-9)
    assert table[:, 0].tolist() == [0, 0, 0]
    unknown = [*known, Features(**{**{name: getattr(known[1], name) for name in known[1].__slots__}, "noise": np.nan})]
    noise = [one.noise for one in known]
    assert standardised(unknown)[3, 1] == pytest.approx(standardised(unknown)[int(np.argsort(noise)[1]), 1])
