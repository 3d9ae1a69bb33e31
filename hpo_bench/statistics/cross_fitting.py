"""An honest score for a choice that used every example."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.statistics.examples import error_of_mean

FloatArray = NDArray[np.float64]
Places = NDArray[np.int64]

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """What the choice among settings is worth, each example scored at a setting that was chosen without it.

    Attributes:
        chosen: The setting that the other folds choose, for each fold.
        scores: Each example's score at that setting, of shape (m,).
    """

    chosen: Places
    scores: FloatArray

    @property
    def score(self) -> float:
        """The mean score."""
        return float(self.scores.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean score."""
        return error_of_mean(self.scores)


def cross_fit(answers: FloatArray, folds: Places, choose: Callable[[NDArray[np.bool_]], int]) -> CrossFit:
    """Makes the choice anew from the answers to all folds but one, scores it on that one, and so for each.

    Nothing is evaluated again: every setting has answered every example, and the answers are stored. What is scored is
    the way of choosing, given the settings; so the interval is for the choice from all examples as well, which is
    better by what a fold more of them is worth.

    Args:
        answers: Scores of m examples at n settings, of shape (n, m).
        folds: To which fold each example belongs, of shape (m,): 0, 1, and so on.
        choose: Which of the settings is best by the answers to some of the examples, told which, of shape (m,).

    Returns:
        The scores that were found honestly. (Stone, "Cross-validatory choice and assessment of statistical
        predictions", 1974; of a choice and not of a model: Varma and Simon, "Bias in error estimation when using
        cross-validation for model selection", 2006.)
    """
    parts = range(int(folds.max()) + 1)
    chosen = np.array([choose(folds != part) for part in parts], dtype=np.int64)
    return CrossFit(chosen, answers[chosen[folds], np.arange(len(folds))])
