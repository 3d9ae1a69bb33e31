"""Regrets that are equal but for rounding, made so, for whatever goes by signs, ranks and ties."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

GRAIN = 40
"""Regrets are told apart from about two to minus this power, in the largest of them: a millionth of a millionth."""


def told_apart(values: FloatArray, most: float) -> FloatArray:
    """Mean regrets, or their differences, of which those that are equal, or zero, but for rounding are so.

    On a few settings two optimisers often end at the same ones with other seeds, whose sum is rounded otherwise; by
    sign and rank no difference is small.

    Args:
        values: Of any shape; NaN stays NaN.
        most: The largest regret that they were made of.

    Returns:
        The values to whole grains of `most`, of their shape.
    """
    grain = np.ldexp(1.0, int(np.frexp(most)[1]) - GRAIN)
    return np.rint(values / grain) * grain
