"""Pattern search: poll the coordinate directions, halve the step when none is better."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from optimizers.base import Point
from optimizers.errors import InvalidSettingError
from optimizers.multi_start import MultiStart, Search
from optimizers.options import fraction


class PatternSearch(MultiStart):
    """Compass search (Torczon, 1997; Kolda, Lewis & Torczon, 2003, section 3.1), restarted when its step is small.

    It polls +-step along every axis, moves to the first better point and keeps the step; when no poll is better it
    halves the step. Two choices are left open by the theory, which needs neither: the direction that last won is
    polled first (dynamic ordering: Kolda et al., section 8.3), and a poll that would leave the cube stops at the
    face, so that optima on faces are found exactly.

    Args:
        dim: Number of hyperparameters.
        seed: Draws the starts.
        budget: How many points may be asked for.
        start: Where the first search begins.
        step: First step, in edges of the cube.
        tolerance: A search ends when its step falls below this. Loose is better at small budgets: restarts gain more
            than the last digits (`docs/optimisers.md`).

    Raises:
        InvalidSettingError: If an argument is out of range.
    """

    name = "pattern-search"
    label = "Pattern Search"

    def __init__(
        self,
        dim: int,
        *,
        seed: int,
        budget: int,
        start: ArrayLike | None = None,
        step: float = 0.25,
        tolerance: float = 0.025,
    ) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start)
        self.step = fraction("step", step)
        self.tolerance = fraction("tolerance", tolerance)
        if self.tolerance > self.step:
            raise InvalidSettingError(f"tolerance {tolerance} must not exceed the first step {step}")

    @property
    def settings(self) -> Mapping[str, object]:
        """The first step and the smallest."""
        return {**super().settings, "step": self.step, "tolerance": self.tolerance}

    def _search(self, start: Point) -> Search:
        return compass_search(start, step=self.step, tolerance=self.tolerance)


def compass_search(start: Point, *, step: float, tolerance: float) -> Search:
    """Maximises by coordinate polling with step halving.

    Args:
        start: First point, of shape (dim,).
        step: First step, in units of the cube's edge.
        tolerance: The search ends when the step is below this.

    Yields:
        Points of shape (dim,), outside the cube nowhere.

    Returns:
        Why it ended.
    """
    best, best_score = start, (yield start)
    directions = [sign * axis for axis in np.eye(len(start)) for sign in (1.0, -1.0)]
    while step >= tolerance:
        for direction in directions:
            x = np.clip(best + step * direction, 0.0, 1.0)
            if np.array_equal(x, best):
                continue
            if (score := (yield x)) > best_score:
                best, best_score = x, score
                directions.sort(key=lambda other: other is not direction)
                break
        else:
            step /= 2
    return f"step below {tolerance:g}"
