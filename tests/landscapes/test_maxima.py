"""A maximum counts only if noise cannot have made it. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pytest
import synthetic
import synthetic_truth

from landscapes import maxima
from landscapes.landscape import Landscape
from landscapes.outcomes import Outcomes


def answers(chance: np.ndarray, *, examples: int, seed: int) -> Outcomes:
    """Outcomes over a full 2-D grid of chances: half of an example's luck is its own everywhere, half is fresh."""
    side = [np.linspace(0, 1, k) for k in chance.shape]
    X = np.stack(np.meshgrid(*side, indexing="ij"), -1).reshape(-1, chance.ndim)
    rng = np.random.default_rng(seed)
    luck = (rng.random((1, examples)) + rng.random((len(X), examples))) / 2
    # The mean of two uniforms is triangular; its distribution function turns it back into a uniform.
    even = np.where(luck < 0.5, 2 * luck**2, 1 - 2 * (1 - luck) ** 2)
    ids = np.array([str(i) for i in range(examples)], dtype=object)
    correct = (even < chance.reshape(-1, 1)).astype(float)
    return Outcomes(X=X, ids=ids, categories=ids, correct=correct, split="test")


def surface(formula, side: int = 9) -> np.ndarray:
    x, y = np.meshgrid(*[np.linspace(0, 1, side)] * 2, indexing="ij")
    return formula(x, y)


def hill(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 0.2 + 0.6 * np.exp(-4 * ((x - 0.6) ** 2 + (y - 0.5) ** 2))


def two_hills(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    first, second = (np.exp(-12 * ((x - a) ** 2 + (y - a) ** 2)) for a in (0.1, 0.9))
    return 0.1 + 0.6 * first + 0.5 * second


def test_one_hill_is_one_maximum_however_many_peaks_noise_adds() -> None:
    low = 0.4 + 0.2 * surface(hill)
    found = [maxima.of(answers(low, examples=300, seed=seed)) for seed in range(20)]
    assert np.mean([one.recorded for one in found if one]) > 2
    # 95% confidence for all pairs at once: 20 recordings may show one false maximum, hardly more.
    assert sum(one.surviving > 1 for one in found if one) <= 1
    assert sum(one.surviving == 1 for one in found if one) >= 19


def test_two_hills_are_two_maxima() -> None:
    for seed in range(5):
        found = maxima.of(answers(surface(two_hills), examples=800, seed=seed), "dense")
        assert found is not None
        assert found.surviving == 2
        assert found.where == "dense 9 x 9, test"
        assert np.abs(found.X - [[0.125, 0.125], [0.875, 0.875]]).max() <= 0.26
        assert found.scores[0] > found.scores[1]


def test_a_ridge_along_the_diagonal_is_no_row_of_peaks() -> None:
    ridge = surface(lambda x, y: 0.2 + 0.5 * np.exp(-30 * (x + y - 1) ** 2))
    found = maxima.of(answers(ridge, examples=1000, seed=0))
    assert found is not None
    assert found.surviving == 1


def test_on_flat_ground_nothing_is_known_to_be_a_maximum() -> None:
    found = [maxima.of(answers(np.full((5, 5), 0.5), examples=300, seed=seed)) for seed in range(10)]
    assert sum(one.surviving > 0 for one in found if one) <= 1


def test_confidence_is_for_all_pairs_at_once() -> None:
    wrong = sum(
        maxima.surely_lower(answers(np.full((4, 4), 0.5), examples=200, seed=seed).correct, resamples=400).any()
        for seed in range(60)
    )
    assert wrong <= 8  # 5% of 60, and luck


def test_equal_answers_are_not_told_apart() -> None:
    correct = np.tile(np.array([1.0, 0.0, 1.0, 1.0]), (3, 1))
    assert not maxima.surely_lower(correct).any()


def test_all_right_is_surely_higher_than_all_wrong() -> None:
    correct = np.zeros((9, 50))
    correct[4] = 1.0
    assert maxima.surely_lower(correct)[4].sum() == 8
    assert maxima.surely_lower(correct).sum() == 8
    shifted = np.random.default_rng(0).random((1, 50)) + np.array([[0.0], [0.5], [0.1 + 0.2 - 0.3]])
    assert maxima.surely_lower(shifted).tolist() == [[False] * 3, [True, False, True], [False] * 3]
    assert not maxima.surely_lower(correct[:, :1]).any(), "one example tells nothing of its error"
    whole = answers(surface(hill, 3), examples=50, seed=0)
    peak = Outcomes(X=whole.X, ids=whole.ids, categories=whole.ids, correct=correct, split="test")
    assert (found := maxima.of(peak)) is not None
    assert found.surviving == 1


def test_what_is_no_full_grid_is_not_judged(tmp_path: Path) -> None:
    whole = answers(surface(hill, 5), examples=50, seed=0)
    part = Outcomes(X=whole.X[1:], ids=whole.ids, categories=whole.ids, correct=whole.correct[1:], split="test")
    assert maxima.of(part) is None


def test_the_dense_grid_is_preferred_and_the_test_split_after_it(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta")
    found = maxima.find(Landscape.read(folder))
    assert found is not None
    assert found.where == "grid 5 x 5, test"
    assert found.surviving == 1
    synthetic_truth.dense(folder, side=8)
    finer = maxima.find(Landscape.read(folder))
    assert finer is not None
    assert finer.where == "dense 8 x 8, test"
    (folder / "outcomes.parquet").unlink()
    (folder / "dense" / "outcomes.parquet").unlink()
    assert maxima.find(Landscape.read(folder)) is None


@pytest.mark.parametrize("shape", [(5, 5, 4)])
def test_three_dimensions(shape: tuple[int, ...]) -> None:
    x = np.stack(np.meshgrid(*[np.linspace(0, 1, k) for k in shape], indexing="ij"), -1)
    chance = 0.2 + 0.6 * np.exp(-3 * ((x - 0.5) ** 2).sum(-1))
    found = maxima.of(answers(chance, examples=300, seed=1))
    assert found is not None
    assert (found.where, found.surviving) == ("grid 5 x 5 x 4, test", 1)


@pytest.mark.parametrize(("factor", "offset"), [(1e12, 0.0), (1e-13, 0.0), (1e-170, 0.0), (1.0, 1e9)])
def test_units_of_scores_do_not_matter(factor: float, offset: float) -> None:
    right = answers(surface(two_hills), examples=400, seed=0).correct
    assert np.array_equal(maxima.surely_lower(factor * right + offset), maxima.surely_lower(right))
    assert maxima.surely_lower(right).any()
