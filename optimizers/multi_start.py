"""Turns a local search into an optimiser that starts over until the budget is spent."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from itertools import count

import numpy as np
from numpy.typing import ArrayLike

from optimizers.base import Optimizer, Point, Restart
from optimizers.errors import ProtocolError

Search = Generator[Point, float, str]
"""A local search: yields points of shape (dim,), is sent their scores, and returns in words why it ended."""

SAME = 1e-7
"""How far apart, along any axis, two points of the cube may be and still be one.

More than rounding moves a line that is searched again from another of its points, the 1.5e-8 of Brent's method
included, and far less than any score could show.
"""

REPEATS = 10_000
"""So many points in a row that were told before come of a search that never ends: a step that has become too small."""


class MultiStart(Optimizer, ABC):
    """Restarts a local search from a fresh uniform point whenever it ends.

    The first search begins at the best point of a given start and of those known from elsewhere. A fresh point, and not
    one near the best, because it is all that reaches another basin (Törn & Žilinskas, "Global optimization", 1989,
    chapter 4: multistart); uniform, so that the search with restarts is never worse than Random by more than what the
    local searches cost.

    The search is written as a generator, `score = yield x`, whose first point is its start. It knows no budget, no
    failures and no bounds:

    - it may step outside the cube, and gets the score of the nearest point inside;
    - a failed evaluation reads as minus infinity, and a search whose very start failed is ended;
    - a point that was told before comes up again, to within `SAME`: it is answered from memory and costs nothing, and
      a search that asks for nothing else, `REPEATS` times in a row, is refused.
    """

    def __init__(self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start)
        self._repeats = 0
        self._points = self._run()

    @abstractmethod
    def _search(self, start: Point) -> Search:
        """A local search from a start of shape (dim,)."""

    def _next(self) -> Point:
        return next(self._points)

    def _run(self) -> Iterator[Point]:
        """The points of all searches. Each is told before the next is wanted, so no restart follows the last."""
        for number in count():
            given = self._best_start() if number == 0 else None
            start = self._generator(number).random(self.dim) if given is None else given
            reason = yield from self._follow(self._search(start))
            self._restarts.append(Restart(evaluation=len(self._answered), reason=reason))

    def _follow(self, search: Search) -> Generator[Point, None, str]:
        """Passes on the points of one search whose scores are not known yet, and returns why it ended."""
        try:
            score = yield from self._score(next(search))
            if score == -np.inf:
                return "its start failed"
            while True:
                score = yield from self._score(search.send(score))
        except StopIteration as end:
            return end.value

    def _score(self, x: Point) -> Generator[Point, None, float]:
        """Yields a point unless its score is known, and returns the score."""
        x = np.clip(x, 0.0, 1.0)
        known, scores = self.history
        gaps = np.abs(known - x).max(axis=1)
        if gaps.min(initial=np.inf) <= SAME:
            score = float(scores[gaps.argmin()])
            self._repeats += 1
            if self._repeats > REPEATS:
                raise ProtocolError(
                    f"{type(self).__name__} asked {REPEATS} times in a row for points that it knows, the last of them "
                    f"{x}: let its search return, with the reason in words, where no step leads to a new point"
                )
        else:
            self._repeats = 0
            yield x
            score = float(self._answered[-1])
        return -np.inf if np.isnan(score) else score
