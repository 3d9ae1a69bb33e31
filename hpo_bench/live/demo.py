"""What the demonstration compares itself with."""

from collections.abc import Mapping

from hpo_bench.merging.setting import MergeSetting
from landscapes import catalogue


def grid_best(pair: str, method: str = "ta") -> Mapping[str, MergeSetting]:
    """The best setting, on validation examples, of the recorded full grid of a pair that ships."""
    grid = catalogue.load(f"{pair}/{method}").grid
    return {f"best of {len(grid)} on a grid": MergeSetting(method, *map(float, grid.X[grid.best]))}
