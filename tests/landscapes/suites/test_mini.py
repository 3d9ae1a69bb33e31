"""The mini-suite stands for all that ships by its criterion, and the criterion does what it says."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from landscapes import catalogue
from landscapes.errors import UnknownLandscapeError
from landscapes.suites import boxes, mini
from landscapes.suites.recorded import members


def test_no_random_choice_is_as_near_to_all_that_ships_as_the_mini_suite() -> None:
    every = catalogue.load_all(boxes.usual())
    apart, names, rng = mini.distances(every), [one.name for one in every], np.random.default_rng(0)
    by_chance = [mini.energy(apart, [*rng.choice(len(every), mini.SIZE, replace=False)]) for _ in range(1000)]
    own = mini.energy(apart, [names.index(one) for one in mini.names()])
    assert len(mini.names()) == mini.SIZE
    assert own < min(by_chance), "landscapes have changed: run `python -m landscapes.suites.mini`"


def test_a_subset_is_spread_as_the_whole_is() -> None:
    """Of 40 points about 0 and 20 about 10 two thirds are chosen from the first, and no outlier stands for many."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 1, (40, 2)), rng.normal(10, 1, (20, 2)), [[60.0, 60.0]]])
    chosen = mini.nearest_subset(cdist(points, points), 9)
    assert len(set(chosen)) == 9
    assert sum(place < 40 for place in chosen) == 6
    assert mini.nearest_subset(cdist(points, points), 100) == list(range(61))


def test_patterns_choose_among_its_members() -> None:
    pair = mini.names()[0].partition("/")[0]
    assert all(name.startswith(pair) for name in members("mini", [pair]))
    left_out = next(name for name in catalogue.names() if name not in mini.names())
    with pytest.raises(UnknownLandscapeError, match="not in the suite mini, which has"):
        members("mini", [left_out])
