"""How far a surrogate is off at points it has not seen, as % of the range of the scores."""

import copy

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogates.base import Surrogate
from surrogates.scale import root_mean_square

Array = NDArray[np.float64]

REPEATS = 20
"""How often the study withholds a point."""


def interior(X: ArrayLike) -> NDArray[np.bool_]:
    """Which points touch no face of the design's bounding box; leaving out any other makes the surrogate extrapolate.

    Args:
        X: Points of shape (n, d).

    Returns:
        A mask of shape (n,). A 5 x 5 grid has 3 x 3 interior points, a 5 x 5 x 4 grid 3 x 3 x 2, and a design with only
        two levels along some axis none.
    """
    X = np.asarray(X, dtype=np.float64)
    return ((X.min(axis=0) < X) & (X.max(axis=0) > X)).all(axis=1)


def study_loocv(
    surrogate: Surrogate, X: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, repeats: int = REPEATS
) -> float:
    """Leave-one-out error exactly as the study's appendix I measures it.

    "We randomly withhold one interior grid point (excluding boundary points), fit the RBF surrogate on the remaining
    points, and measure the prediction error on the held-out point. We repeat this process 20 times with different
    random seeds and report Root Mean Square Error normalized by the metric range (RMSE %)" (arXiv 2605.19523). The
    draws are independent, so a point may be withheld more than once; the metric's range is that of the recorded scores.

    Args:
        surrogate: Which surrogate; a copy is refitted, so it stays as it is.
        X: Points of shape (n, d) in [0, 1]^d.
        y: Scores of shape (n,).
        rng: Draws the withheld points.
        repeats: How many times a point is withheld.

    Returns:
        RMSE in % of the range of `y`; NaN if the design has no interior point or the scores are all equal, since the
        protocol then is not defined. See `exact_loocv` for a figure that does not depend on luck.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    inner = np.flatnonzero(interior(X))
    if not len(inner):
        return float("nan")
    probe = copy.copy(surrogate)
    drawn, times = np.unique(rng.choice(inner, size=repeats), return_counts=True)
    residuals = np.empty(len(drawn))
    for place, left_out in enumerate(drawn):
        probe.fit(np.delete(X, left_out, axis=0), np.delete(y, left_out))
        residuals[place] = y[left_out] - probe.predict(X[[left_out]])[0]
    # A point that was drawn twice counts twice, but need not be fitted twice.
    return _percent_rmse(np.repeat(residuals, times), y)


def exact_loocv(surrogate: Surrogate, X: ArrayLike, y: ArrayLike, *, only_interior: bool) -> float:
    """Leave-one-out error over every point once, from a single solve.

    Args:
        surrogate: A surrogate that was fitted on `X` and `y`.
        X: Points of shape (n, d) in [0, 1]^d.
        y: Scores of shape (n,).
        only_interior: Whether to leave out points on the boundary, which makes it the expectation behind `study_loocv`.

    Returns:
        RMSE in % of the range of `y`; NaN if there is nothing to average.
    """
    residuals = surrogate.loo_residuals()
    if only_interior:
        residuals = residuals[interior(X)]
    return _percent_rmse(residuals[np.isfinite(residuals)], np.asarray(y, dtype=np.float64))


def _percent_rmse(residuals: Array, y: Array) -> float:
    spread = float(np.ptp(y))
    if not len(residuals) or spread == 0:
        return float("nan")
    return 100 * root_mean_square(residuals) / spread
