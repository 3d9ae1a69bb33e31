import json
import tracemalloc

import numpy as np
import pytest
from scipy.stats import qmc

from optimizers import InvalidSettingError
from optimizers.grid import Grid, balanced_levels
from optimizers.random_search import RandomSearch
from optimizers.sobol import Sobol


def run(optimizer):
    points = []
    while optimizer.asked < optimizer.budget:
        points.append(optimizer.ask())
        optimizer.tell(points[-1], 0.0)
    return np.array(points)


def test_random_points_are_uniform() -> None:
    X = run(RandomSearch(2, seed=1, budget=4000))
    counts, *_ = np.histogram2d(X[:, 0], X[:, 1], bins=4, range=[[0, 1], [0, 1]])
    # Sixteen cells of 250 expected: chi-squared with 15 degrees of freedom stays below 37.7 with probability 0.999.
    assert ((counts - 250) ** 2 / 250).sum() < 37.7
    assert abs(np.corrcoef(X[:-1, 0], X[1:, 0])[0, 1]) < 0.06


@pytest.mark.parametrize("budget", [32, 40, 64])
def test_sobol_puts_one_point_into_every_cell(budget: int) -> None:
    X = run(Sobol(2, seed=9, budget=budget))
    for n, shape in [(16, (4, 4)), (32, (32, 1)), (32, (8, 4))]:
        counts, *_ = np.histogram2d(X[:n, 0], X[:n, 1], bins=shape, range=[[0, 1], [0, 1]])
        assert counts.min() == counts.max() == n // np.prod(shape)


def test_sobol_is_spread_better_than_random() -> None:
    assert qmc.discrepancy(run(Sobol(3, seed=0, budget=60))) < qmc.discrepancy(run(RandomSearch(3, seed=0, budget=60)))


def test_sobol_keeps_its_balance_behind_a_start() -> None:
    X = run(Sobol(2, seed=9, budget=17, start=[0.5, 0.5]))
    counts, *_ = np.histogram2d(X[1:, 0], X[1:, 1], bins=4, range=[[0, 1], [0, 1]])
    assert counts.min() == counts.max() == 1


@pytest.mark.parametrize(
    ("dim", "budget", "levels"),
    [
        (1, 40, (5,)),
        (2, 40, (5, 5)),
        (2, 24, (5, 4)),
        (3, 60, (4, 4, 3)),
        (3, 200, (5, 5, 5)),
        (6, 60, (2, 2, 2, 2, 2, 1)),
        (2, 1, (1, 1)),
    ],
)
def test_the_grid_is_the_largest_even_one_that_fits(dim: int, budget: int, levels: tuple[int, ...]) -> None:
    assert balanced_levels(dim, budget) == levels
    assert Grid(dim, seed=0, budget=budget).levels == levels


def test_the_grid_comes_first_and_the_finer_one_after_it() -> None:
    X = run(Grid(2, seed=3, budget=40))
    coarse = {(a / 4, b / 4) for a in range(5) for b in range(5)}
    fine = {(a / 8, b / 8) for a in range(9) for b in range(9)}
    assert {tuple(x) for x in X[:25]} == coarse
    assert {tuple(x) for x in X[25:]} <= fine - coarse
    assert len({tuple(x) for x in X}) == 40


def test_a_grid_read_row_by_row() -> None:
    X = run(Grid(2, seed=3, budget=6, levels=(2, 3), shuffled=False))
    assert X.tolist() == [[0, 0], [0, 0.5], [0, 1], [1, 0], [1, 0.5], [1, 1]]


def test_a_start_is_not_visited_again() -> None:
    X = run(Grid(2, seed=3, budget=25, start=[0.5, 0.5]))
    assert X[0].tolist() == [0.5, 0.5]
    assert len({tuple(x) for x in X}) == 25


@pytest.mark.parametrize("levels", [7, (5, 5, 5), (5,), (0, 5), (2.5, 2), 2.5, "33"])
def test_impossible_levels_are_refused(levels) -> None:
    with pytest.raises(InvalidSettingError):
        Grid(2, seed=0, budget=40, levels=levels)


@pytest.mark.parametrize("levels", [3, np.int64(3), [3, 3], np.array([3, 3])])
def test_levels_may_be_whole_numbers_of_any_kind(levels) -> None:
    grid = Grid(2, seed=0, budget=9, levels=levels)
    assert grid.levels == (3, 3)
    assert json.dumps(grid.settings["levels"]) == "[3, 3]"


@pytest.mark.parametrize("dim", [6, 12, 13, 40])
@pytest.mark.parametrize("shuffled", [True, False])
def test_grids_of_many_axes_are_not_listed(dim: int, shuffled: bool) -> None:
    tracemalloc.start()
    grid = Grid(dim, seed=1, budget=60, shuffled=shuffled)
    points = run(grid)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(points, axis=0)) == 60
    assert np.isin(points, (0.0, 0.5, 1.0)).all()
    assert most < 2**25


def test_a_huge_grid_is_refused_by_its_true_size() -> None:
    with pytest.raises(InvalidSettingError, match=rf"a grid of {5**40} points does not fit a budget of 60"):
        Grid(40, seed=0, budget=60, levels=5)
