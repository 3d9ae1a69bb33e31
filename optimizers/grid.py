"""Grid search: a full factorial design, then a finer one."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice, product
from math import prod
from operator import contains

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimizers.base import Optimizer, Point
from optimizers.errors import InvalidSettingError
from optimizers.options import integer

# Five levels an axis are what practitioners lay by hand over merging coefficients, and what the study recorded.
USUAL_LEVELS = 5
LONGEST_LIST = 2**20
"""Grids of more points are drawn from and not listed: from 13 axes on, halving every interval makes millions."""


class Grid(Optimizer):
    """Every combination of evenly spaced levels, ends included.

    Left to itself it takes the largest grid that the budget holds, with levels that differ by at most one between the
    axes and never more than five: 5 x 5 for a budget of 40, 4 x 4 x 3 for 60 (5 x 4 x 3 would spend the budget exactly
    but favour one axis for no reason). An axis with a single level sits in its middle. What is left of the budget
    goes to the next finer grid, which halves every interval, without repeating a point.

    Within a grid the order is shuffled by the seed: read row by row, a grid leaves half the box unseen until half of it
    is spent, and a curve over evaluations would show the order of the axes and not the search.

    Args:
        dim: Number of hyperparameters.
        seed: Shuffles the order.
        budget: How many points may be asked for.
        start: The first point or points to propose; the grid follows, without them.
        levels: Levels of every axis, or of each; None takes the rule above.
        shuffled: False reads the grids row by row, the last axis fastest.

    Raises:
        InvalidSettingError: If an argument is out of range, or the grid has more points than the budget.
    """

    name = "grid"
    label = "Grid"
    parallel = True
    goals = (1, 2)

    def __init__(
        self,
        dim: int,
        *,
        seed: int,
        budget: int,
        start: ArrayLike | None = None,
        levels: int | Sequence[int] | None = None,
        shuffled: bool = True,
    ) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start)
        if levels is None:
            self.levels = balanced_levels(self.dim, self._room)
        else:
            each = tuple(levels) if isinstance(levels, Sequence | np.ndarray) else (levels,) * self.dim
            self.levels = tuple(integer("levels", level, least=1) for level in each)
            if len(self.levels) != self.dim:
                raise InvalidSettingError(f"levels names {len(self.levels)} axes, but there are {self.dim}")
            if (size := prod(self.levels)) > self._room:
                raise InvalidSettingError(f"a grid of {size} points does not fit a budget of {self._room}")
        self._chosen = None if levels is None else list(self.levels)
        self.shuffled = bool(shuffled)

    @property
    def settings(self) -> Mapping[str, object]:
        """The levels, if they were chosen, and the order."""
        chosen = {} if self._chosen is None else {"levels": self._chosen}
        return {**super().settings, **chosen, "shuffled": self.shuffled}

    @property
    def _room(self) -> int:
        """What the budget leaves for the grid; a run of a given start alone still has to lay one."""
        return max(self.budget - len(self.start), 1)

    @cached_property
    def _visits(self) -> NDArray[np.float64]:
        """The points in the order of their visit, of shape (budget, dim)."""
        seen: set[tuple[float, ...]] = {tuple(point) for point in self.start.tolist()}
        visits: list[tuple[float, ...]] = []
        levels = self.levels
        for stage in range(self.budget):
            visits += self._stage(levels, seen, self._generator(stage), self.budget - len(visits))
            if len(visits) >= self.budget:
                break
            seen.update(visits)
            levels = tuple(max(2 * level - 1, 3) for level in levels)
        return np.array(visits)

    def _stage(
        self, levels: Sequence[int], seen: set[tuple[float, ...]], generator: np.random.Generator, most: int
    ) -> list[tuple[float, ...]]:
        """At most so many points of one grid that were not seen, in the order of their visit."""
        axes = [_axis(level) for level in levels]
        unseen = (point for point in product(*axes) if point not in seen)
        if not self.shuffled:
            return list(islice(unseen, most))
        if prod(levels) <= LONGEST_LIST:
            taken = sum(all(map(contains, axes, point)) for point in seen)
            order = generator.permutation(prod(levels) - taken)[:most].tolist()
            wanted = set(order)
            found = {index: point for index, point in enumerate(unseen) if index in wanted}
            return [found[index] for index in order]
        drawn: dict[tuple[float, ...], None] = {}
        # Repeats are next to none: a budget that could fill a grid as long as this is none that anybody has.
        while len(drawn) < most:
            point = tuple(axis[generator.integers(len(axis))] for axis in axes)
            if point not in seen:
                drawn[point] = None
        return list(drawn)

    def _next(self) -> Point:
        return self._visits[self._proposed]


def balanced_levels(dim: int, budget: int) -> tuple[int, ...]:
    """The levels of the largest even grid that a budget holds.

    Args:
        dim: Number of axes.
        budget: The most points that the grid may have.

    Returns:
        One number an axis, each from 1 to 5, falling, and at most one apart.
    """
    levels = [1] * dim
    for axis in list(range(dim)) * (USUAL_LEVELS - 1):
        levels[axis] += 1
        if prod(levels) > budget:
            levels[axis] -= 1
            break
    return tuple(levels)


def _axis(levels: int) -> tuple[float, ...]:
    """Evenly spaced levels as exact quotients, so that a point of a coarse grid is found again in a finer one."""
    return (0.5,) if levels == 1 else tuple(index / (levels - 1) for index in range(levels))
