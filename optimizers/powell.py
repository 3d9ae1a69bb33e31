"""Powell's method: line searches along directions that become conjugate."""

from collections.abc import Generator, Mapping
from math import frexp, ldexp, sqrt

import numpy as np
from numpy.typing import ArrayLike

from optimizers.base import Point
from optimizers.multi_start import MultiStart, Search
from optimizers.options import fraction

GOLDEN = (3.0 - sqrt(5.0)) / 2.0
ROOT_EPSILON = sqrt(2.220446049250313e-16)


def maximise_on_interval(lower: float, upper: float, *, tolerance: float) -> Generator[float, float, float]:
    """Maximises a function of one variable by golden sections and parabolas.

    The `localmin` of Brent, "Algorithms for minimization without derivatives" (1973, section 5.8), turned upside down;
    it never evaluates the ends. Scores of minus infinity are allowed: parabolas through them are refused.

    Args:
        lower: Left end.
        upper: Right end.
        tolerance: Absolute precision of the answer.

    Yields:
        Steps inside the interval; send the score of each.

    Returns:
        The step with the highest score.
    """
    best = second = third = lower + GOLDEN * (upper - lower)
    best_score = second_score = third_score = yield best
    move = before_last = 0.0
    while True:
        middle = 0.5 * (lower + upper)
        least = ROOT_EPSILON * abs(best) + tolerance / 3.0
        if abs(best - middle) <= 2.0 * least - 0.5 * (upper - lower):
            return best

        golden = True
        if abs(before_last) > least:
            # The peak of the parabola through the three best points is p / q away from the best.
            below_second, below_third = _scaled(second_score - best_score, third_score - best_score)
            r = (best - second) * below_third
            q = (best - third) * below_second
            p = (best - third) * q - (best - second) * r
            q = 2.0 * (q - r)
            p, q = (-p, q) if q > 0.0 else (p, -q)
            limit, before_last = before_last, move
            if abs(p) < abs(0.5 * q * limit) and q * (lower - best) < p < q * (upper - best):
                golden = False
                move = p / q
                if min(best + move - lower, upper - best - move) < 2.0 * least:
                    move = least if middle >= best else -least
        if golden:
            before_last = (lower if best >= middle else upper) - best
            move = GOLDEN * before_last

        x = best + (move if abs(move) >= least else least if move >= 0.0 else -least)
        score = yield x
        if score >= best_score:
            lower, upper = (best, upper) if x >= best else (lower, best)
            third, third_score = second, second_score
            second, second_score = best, best_score
            best, best_score = x, score
        else:
            lower, upper = (x, upper) if x < best else (lower, x)
            if score >= second_score or second == best:
                third, third_score = second, second_score
                second, second_score = x, score
            elif score >= third_score or third in (best, second):
                third, third_score = x, score


def _scaled(a: float, b: float) -> tuple[float, float]:
    """Two numbers over the power of two above the larger, so that no product of tiny ones vanishes."""
    _, exponent = frexp(max(abs(a), abs(b)))
    return ldexp(a, -exponent), ldexp(b, -exponent)


class Powell(MultiStart):
    """Conjugate directions without derivatives (Powell, 1964), restarted when a sweep gains next to nothing.

    A sweep searches along every direction in turn; its overall displacement then replaces the direction of the largest
    gain, if Powell's test says that this keeps the set from becoming degenerate (his section 4; Brent, 1973, ch. 7).
    Lines are searched over the whole chord of the cube with Brent's method, and directions have unit length, so that
    the tolerance is a distance in the cube.

    Args:
        dim: Number of hyperparameters.
        seed: Draws the starts.
        budget: How many points may be asked for.
        start: Where the first search begins.
        tolerance: Both the precision of a line search and the share of a search's whole gain below which a sweep is
            its last. Loose is better at small budgets: lines cost half the evaluations that they do at SciPy's
            default, 1e-4 (`docs/optimisers.md`).

    Raises:
        InvalidSettingError: If an argument is out of range.
    """

    name = "powell"
    label = "Powell"
    version = 2

    def __init__(
        self, dim: int, *, seed: int, budget: int, start: ArrayLike | None = None, tolerance: float = 0.1
    ) -> None:
        super().__init__(dim, seed=seed, budget=budget, start=start)
        self.tolerance = fraction("tolerance", tolerance)

    @property
    def settings(self) -> Mapping[str, object]:
        """The tolerance."""
        return {**super().settings, "tolerance": self.tolerance}

    def _search(self, start: Point) -> Search:
        return conjugate_directions(start, tolerance=self.tolerance)


def conjugate_directions(start: Point, *, tolerance: float) -> Search:
    """Maximises by Powell's method inside the unit cube.

    Args:
        start: First point, of shape (dim,).
        tolerance: Precision of a line search as a distance, and the least gain of a sweep relative to the whole.

    Yields:
        Points of shape (dim,) in the cube.

    Returns:
        Why it ended.
    """
    x, score = start, (yield start)
    score_start = score
    directions = list(np.eye(len(start)))
    while True:
        before, score_before = x, score
        gains = []
        for direction in directions:
            score_last = score
            x, score = yield from _line_search(x, score, direction, tolerance)
            gains.append(score - score_last)
        gain = score - score_before
        # Compared with the gain so far and not with the score itself, which may have any offset.
        if gain <= tolerance * (score - score_start):
            return f"a sweep gained less than {tolerance:g} of the search's gain"

        displacement = x - before
        beyond = x + min(1.0, _chord(x, displacement)[1]) * displacement
        score_beyond = yield beyond
        largest = int(np.argmax(gains))
        # Powell's test: only a displacement that still leads uphill, past a peak that is flat enough along it, is
        # worth a direction of the set. In shares of the gain, so that no scale of the scores can overflow.
        further = (score_beyond - score_before) / gain
        share = gains[largest] / gain
        if further > 0.0 and 2.0 * (2.0 - further) * (1.0 - share) ** 2 < share * further * further:
            direction = displacement / np.linalg.norm(displacement)
            x, score = yield from _line_search(x, score, direction, tolerance)
            directions[largest] = directions[-1]
            directions[-1] = direction


def _line_search(
    x: Point, score: float, direction: Point, tolerance: float
) -> Generator[Point, float, tuple[Point, float]]:
    """The best point on the chord through x, and its score; x itself where the search finds nothing better."""
    lower, upper = _chord(x, direction)
    if upper - lower <= tolerance:
        return x, score
    search = maximise_on_interval(lower, upper, tolerance=tolerance)
    step = next(search)
    best, best_score = x, score
    while True:
        candidate = np.clip(x + step * direction, 0.0, 1.0)
        found = yield candidate
        if found > best_score:
            best, best_score = candidate, found
        try:
            step = search.send(found)
        except StopIteration:
            return best, best_score


def _chord(x: Point, direction: Point) -> tuple[float, float]:
    """The steps, backward (at most 0) and forward (at least 0), at which a line through x leaves the cube."""
    moving = direction != 0.0
    if not moving.any():
        return 0.0, 0.0
    faces = np.array([(0.0 - x[moving]) / direction[moving], (1.0 - x[moving]) / direction[moving]])
    return float(faces.min(axis=0).max()), float(faces.max(axis=0).min())
