"""What turns responses into scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.metrics import Metric


class Scores(Protocol):
    """Scores responses, perhaps for money."""

    def __call__(self, examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
        """Scores from 0 to 1, of shape (n,), and dollars.

        Raises:
            EvaluationError: If responses cannot be scored.
        """
        ...


@dataclass(frozen=True, slots=True)
class ByRule:
    """Scores each response by a metric.

    Attributes:
        metric: Compares it with the answer.
    """

    metric: Metric

    def __call__(self, examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
        """Scores, for nothing."""
        pairs = zip(examples, responses, strict=True)
        return np.array([self.metric(response, example.answer) for example, response in pairs]), 0.0
