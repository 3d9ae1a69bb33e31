"""The recorded grid of a pair that ships, to compare with."""

from collections.abc import Mapping

from hpo_bench.merging.setting import MergeSetting
from landscapes import catalogue
from landscapes.landscape import Landscape


def grid_best(pair: str, method: str = "ta") -> Mapping[str, MergeSetting]:
    """The best setting, on validation examples, of the recorded full grid of a pair that ships."""
    landscape = catalogue.load(f"{pair}/{method}")
    return {grid_name(landscape): grid_setting(landscape)}


def grid_name(landscape: Landscape) -> str:
    """What a verdict calls it."""
    return f"best of {len(landscape.grid)} on a grid"


def grid_setting(landscape: Landscape) -> MergeSetting:
    """The setting of a grid with the highest validation score."""
    grid = landscape.grid
    return MergeSetting(landscape.card.method, *map(float, grid.X[grid.best]))
