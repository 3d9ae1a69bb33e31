"""Scores in units of their own range, and back, without rounding any."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Scores whose range is a smaller share of the largest are equal but for rounding."""
COARSER = 10
"""An offset is the scores rounded to their range times about two to this power, so that most have none."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An offset and a power of two, by which standard scores have a range from one half to one.

    Powers of two round nothing, and the offset is so coarse that it can be taken away exactly. What is computed with
    standard scores is therefore the same, bit for bit, in whatever unit the scores are, and whatever is added to them.

    Attributes:
        offset: What all scores have in common; 0 unless it is some 500 times their range.
        exponent: Of the power of two that standard scores are multiplied by.
    """

    offset: float
    exponent: int

    @classmethod
    def of(cls, scores: ArrayLike) -> Self:
        """The scale of finite scores, at least one."""
        scores = np.asarray(scores, dtype=np.float64)
        _, exponent = np.frexp(np.abs(scores).max())
        # The range of huge numbers may be infinite, and that of their fractions is not.
        fractions = np.ldexp(scores, -exponent)
        _, grain = np.frexp(np.ptp(fractions))
        middle = (fractions.max() + fractions.min()) / 2
        common = np.ldexp(np.rint(np.ldexp(middle, -grain - COARSER)), grain + COARSER)
        return cls(float(np.ldexp(common, exponent)), int(exponent + grain))

    def to_standard(self, scores: ArrayLike) -> Array:
        """Scores of any shape in standard units."""
        return np.ldexp(np.asarray(scores, dtype=np.float64) - self.offset, -self.exponent)

    def from_standard(self, standard: ArrayLike) -> Array:
        """Standard scores of any shape in their own units."""
        return self.difference(standard) + self.offset

    def difference(self, standard: ArrayLike) -> Array:
        """Differences of standard scores, of any shape, in the scores' own units."""
        return np.ldexp(np.asarray(standard, dtype=np.float64), self.exponent)


def are_equal(scores: ArrayLike) -> bool:
    """Whether finite scores, at least one, are all equal but for rounding."""
    scores = np.asarray(scores, dtype=np.float64)
    _, exponent = np.frexp(np.abs(scores).max())
    return bool(np.ptp(np.ldexp(scores, -exponent)) <= ROUNDING)


def root_mean_square(values: ArrayLike) -> float:
    """The root of the mean of the squares, none of which over- or underflows; of at least one finite value."""
    values = np.asarray(values, dtype=np.float64)
    _, exponent = np.frexp(np.abs(values).max())
    return float(np.ldexp(np.sqrt(np.mean(np.ldexp(values, -exponent) ** 2)), exponent))
