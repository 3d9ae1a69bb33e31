"""Incumbents, their regret, and simulated random searches.

Scores are maximised. Regrets are fractions of the objective's range, 0 at its global maximum and 1 at its minimum, so
lower is better. What Random is expected to reach needs no runs: `landscapes.random_baseline` has it exactly.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.landscape import Landscape

FloatArray = NDArray[np.float64]


def best_so_far(scores: ArrayLike) -> FloatArray:
    """The incumbent after each evaluation.

    Args:
        scores: Shape (..., n), to be maximised; NaN where an evaluation failed.

    Returns:
        Running maxima of the same shape; NaN until the first evaluation that succeeded.
    """
    return np.fmax.accumulate(np.asarray(scores, dtype=float), axis=-1)


def regret_of(landscape: Landscape, incumbents: ArrayLike) -> FloatArray:
    """Normalised regret r_t = (f* - max_{i<=t} f(x_i)) / (f* - f_min) of incumbents.

    Args:
        landscape: The objective, whose certified maximum and minimum count, not its best and worst recorded setting.
        incumbents: Scores of any shape; NaN where nothing has succeeded yet, which counts as regret 1.

    Returns:
        Regrets of that shape. Negative only where an optimiser passed the certified maximum.
    """
    regret = landscape.regret(incumbents)
    return np.where(np.isnan(regret), 1.0, regret)


def draw_random_regret(sample: FloatArray, n: int, *, size: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Regrets of simulated random searches of n draws each, without making the n draws.

    The smallest of n uniforms is distributed as 1 - U^(1/n), so each search costs one draw.

    Args:
        sample: Regrets at N uniform points, shape (N,), ascending.
        n: Evaluations of each search.
        size: How many searches, as a shape.
        rng: Source of the draws.
    """
    rank = 1.0 - rng.random(size) ** (1.0 / n)
    return sample[np.minimum((rank * len(sample)).astype(int), len(sample) - 1)]
