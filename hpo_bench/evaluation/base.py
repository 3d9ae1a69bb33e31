"""What an evaluator is, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hpo_bench.evaluation.examples import Example


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How a model did on some examples.

    Attributes:
        examples: Which ones, n of them.
        scores: One score in [0, 1] each, higher is better, of shape (n,).
        seconds: Wall time of the evaluation.
    """

    examples: tuple[Example, ...]
    scores: NDArray[np.float64]
    seconds: float

    @property
    def score(self) -> float:
        """The mean score."""
        return float(self.scores.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, from the spread over examples; NaN for a single one."""
        if len(self.scores) < 2:
            return float("nan")
        return float(self.scores.std(ddof=1) / np.sqrt(len(self.scores)))


class Evaluator(Protocol):
    """Scores a model on any subset of examples."""

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Outcome:
        """Score the model on each of the examples, to be maximised."""
        ...
