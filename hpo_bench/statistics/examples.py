"""Errors of mean scores over examples that hold where few examples decide.

The spread that was seen says nothing of what was not: where one answer in eighty differs, or all are right, it is next
to nothing, and an interval of 1.96 such errors misses the truth in one case of six and worse. So both errors here count
a few examples more that came out either way, as Agresti and Coull (1998) do for a share and Bonett and Price (2012) for
the difference of two. They do it to the spread alone, so that an interval stays around the mean. How often intervals of
`Z95` such errors hold is in `docs/intervals.md`.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Z95 = 1.96
"""So many errors are half of a 95% interval."""


def error_of_mean(scores: Array) -> float:
    """Standard error of a mean score, as if two more examples had scored 0 and two 1.

    Args:
        scores: In [0, 1], of shape (n,).

    Returns:
        The error; NaN for fewer than two examples.
    """
    if len(scores) < 2:
        return float("nan")
    mean = scores.mean()
    return _with_four_more(mean, np.square(scores - mean).sum(), len(scores))


def error_of_known(mean: float, standard_error: float, count: int) -> float:
    """`error_of_mean` where the scores themselves are not at hand.

    Args:
        mean: Of n scores, at least two.
        standard_error: Of the mean by the spread that was seen, with n - 1 degrees of freedom.
        count: That n.
    """
    return _with_four_more(mean, standard_error**2 * count * (count - 1), count)


def _with_four_more(mean: float, squares: float, count: int) -> float:
    return float(np.sqrt(squares + 2 * mean**2 + 2 * (1 - mean) ** 2) / count)


def error_of_difference(differences: Array) -> float:
    """Standard error of a mean difference, as if one more example had been better and one worse.

    They count as differing as much as those that do, in the mean square, which holds one of the largest possible, 1, as
    well: for right and wrong answers all are 1.

    Args:
        differences: Of two scores in [0, 1] on the same examples, of shape (n,).

    Returns:
        The error; NaN for fewer than two examples.
    """
    if len(differences) < 2:
        return float("nan")
    squares, count = float(np.square(differences).sum()), len(differences)
    further = (squares + 1) / (np.count_nonzero(differences) + 1)
    return float(np.sqrt((squares + 2 * further) / count - differences.mean() ** 2) / np.sqrt(count))
