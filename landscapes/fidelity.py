"""How far a landscape's surrogate can be trusted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surrogates.base import Surrogate
from surrogates.extrema import Extremum
from surrogates.loocv import exact_loocv, study_loocv

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Measures of trust; per cents are of the range of the recorded scores.

    Attributes:
        study_loocv: RMSE % by the protocol of the study's appendix I: 20 random interior points; NaN without any.
        exact_loocv: RMSE % of leaving out every point once.
        exact_loocv_interior: RMSE % of leaving out every interior point once; NaN without any.
        argmax_shift: Distance from the surrogate's optimum to the best recorded setting (the nearest of equals), in the
            unit cube.
        noise_percent: Standard error of one evaluation near the optimum, in %; NaN where unknown.
        overshoot_percent: By how much the surrogate's maximum exceeds the best recorded score, in %.
    """

    study_loocv: float
    exact_loocv: float
    exact_loocv_interior: float
    argmax_shift: float
    noise_percent: float
    overshoot_percent: float


def measure(surrogate: Surrogate, X: Array, y: Array, *, noise: float, optimum: Extremum, seed: int = 0) -> Fidelity:
    """Measure a fitted surrogate.

    Args:
        surrogate: Fitted on `X` and `y`.
        X: Recorded settings, of shape (n, d), in the unit cube.
        y: Their scores, of shape (n,), not all equal.
        noise: Standard error of one evaluation, in score units.
        optimum: The surrogate's maximum, in the unit cube.
        seed: Which points the study's protocol withholds.
    """
    spread, best = float(np.ptp(y)), float(y.max())
    return Fidelity(
        study_loocv=study_loocv(surrogate, X, y, rng=np.random.default_rng(seed)),
        exact_loocv=exact_loocv(surrogate, X, y, only_interior=False),
        exact_loocv_interior=exact_loocv(surrogate, X, y, only_interior=True),
        argmax_shift=float(np.linalg.norm(X[y == best] - optimum.x, axis=1).min()),
        noise_percent=100 * noise / spread,
        overshoot_percent=100 * (optimum.score - best) / spread,
    )
