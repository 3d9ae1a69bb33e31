"""Points that lie too near to one another for their scores."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

NEAREST = 0.2
"""In how many typical spacings the scores may rise by their whole range."""
RESOLVED = 1e-4
"""The smallest difference of two scores that is taken for real, in ranges."""


def steep_pairs(X: Array, y: Array) -> NDArray[np.bool_]:
    """Which pairs of points no smooth surface should go through.

    Between them it would have to rise faster than by the whole range of all scores within a fifth of the typical
    spacing of n points in d dimensions, n^(-1/d). No grid with as many levels along every axis has such a pair. An
    interpolant that is forced through one goes on with that slope until other points stop it: 1e-8 apart, a tenth of
    the range becomes thousands of ranges. Points nearer than a fifty-thousandth of the spacing count whatever their
    scores, as these cannot be told apart then.

    Args:
        X: Points of shape (n, d) in the unit cube.
        y: Their scores, of shape (n,).

    Returns:
        A symmetric matrix of shape (n, n).
    """
    n, dim = X.shape
    reach = NEAREST * typical_spacing(n, dim)
    spread = np.ptp(y)
    steep = (np.abs(y[:, None] - y) + RESOLVED * spread) * reach > spread * cdist(X, X)
    np.fill_diagonal(steep, False)
    return steep


def typical_spacing(n: int, dim: int) -> float:
    """Side of the cube that each of n points has to itself."""
    return n ** (-1.0 / dim)
