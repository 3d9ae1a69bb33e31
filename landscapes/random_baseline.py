"""What Random can be expected to reach, without running it."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import root_scalar

Array = NDArray[np.float64]

NEGLIGIBLE = 40.0
"""Minus the logarithm of a chance that is below the rounding of the sum that it is a term of."""


def expected_regret(sample: Array, draws: ArrayLike) -> Array:
    """The exact expectation of the least of t independent draws, with replacement, from an empirical distribution.

    With r_1 <= ... <= r_N the sorted sample, the least of t draws exceeds r_i with probability ((N - i) / N)^t, so
    (order statistics; David and Nagaraja 2003, section 2.1)

        E = r_1 + sum over i = 1..N-1 of (r_{i+1} - r_i) ((N - i) / N)^t

    Args:
        sample: Regrets in increasing order, of shape (N,); or, for the expectation of what looks least of t draws, in
            the increasing order of what they seem.
        draws: Numbers of draws t, of shape (k,), at least 1; they need not be whole.

    Returns:
        Expected regrets, of shape (k,).
    """
    t = np.atleast_1d(np.asarray(draws, dtype=np.float64))
    survival, gaps = _survival(len(sample)), np.diff(sample)
    # What is less likely adds nothing that a double could hold; of 1,000 draws that is all but the best 4%.
    likely = np.searchsorted(-survival, NEGLIGIBLE / t)
    # Row by row: all rows at once would take k x N numbers at a time.
    return np.array([sample[0] + gaps[:n] @ np.exp(one * survival[:n]) for one, n in zip(t, likely, strict=True)])


def expected_curve(sample: Array, n: int) -> Array:
    """The same after 1, 2, ..., n draws, of shape (n,), where each step takes a product and no exponential."""
    chance, gaps = np.exp(_survival(len(sample))), np.diff(sample)
    exceeds, found = np.ones_like(gaps), np.empty(n)
    for t in range(n):
        exceeds *= chance
        found[t] = sample[0] + gaps @ exceeds
    return found


@lru_cache(maxsize=4)
def _survival(n: int) -> Array:
    """Logarithm of the chance that a draw exceeds the i-th of n, for i = 1, ..., n - 1."""
    found = np.log(np.arange(n - 1, 0, -1) / n)
    found.flags.writeable = False
    return found


def equivalent_draws(sample: Array, regret: float, *, most: float = 1e6) -> float:
    """How many random draws reach the same expected regret: the inverse of `expected_regret`.

    Args:
        sample: Regrets as `expected_regret` takes them, of shape (N,).
        regret: Mean regret that an optimiser reached.
        most: The largest answer.

    Returns:
        A number of draws, not whole in general; 1 if a single draw is expected to do as well, infinity if `most` draws
        are not enough (or a finite sample cannot tell).
    """
    if regret >= expected_regret(sample, 1)[0]:
        return 1.0
    # Of equals at the best, rounding soon leaves nothing of the expectation, which no number of draws brings to none.
    if regret <= expected_regret(sample, most)[0]:
        return float("inf")
    # The expectation falls in t, smoothly on this scale.
    found = root_scalar(
        lambda log: expected_regret(sample, np.exp(log))[0] - regret,
        bracket=(0.0, float(np.log(most))),
        method="brentq",
    )
    return float(np.exp(found.root))
