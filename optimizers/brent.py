"""Brent's line search on an interval."""

from collections.abc import Generator
from math import frexp, ldexp, sqrt

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
