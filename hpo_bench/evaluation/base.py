"""What an evaluator is, what it answers, and when its answer is no answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.examples import Example, Split
from hpo_bench.merging.setting import MergeSetting


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How a model did on some examples.

    Attributes:
        examples: Which ones, n of them.
        scores: One score in [0, 1] each, higher is better, of shape (n,).
        seconds: Wall time of the evaluation.
        responses: What the model answered, one text an example; empty where the evaluator does not generate.
        dollars: What a judge or another paid service charged for it.
    """

    examples: tuple[Example, ...]
    scores: NDArray[np.float64]
    seconds: float
    responses: tuple[str, ...] = ()
    dollars: float = 0.0

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


class Scorer(Protocol):
    """Scores a model on any subset of examples."""

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Outcome:
        """Score the model on each of the examples, to be maximised.

        Raises:
            EvaluationError: If there is no score to be had. A failure is never a score.
        """
        ...


class Evaluator(Scorer, Protocol):
    """A scorer that knows its benchmark."""

    def examples(self, split: Split) -> Sequence[Example]:
        """The benchmark's examples on one side of the split."""
        ...


@runtime_checkable
class Batched(Protocol):
    """An evaluator that takes so many examples at once; whoever runs out of memory may lower the number.

    Attributes:
        batch_size: How many examples share a forward pass, at least 1.
    """

    batch_size: int


@runtime_checkable
class Informed(Protocol):
    """An evaluator that wants to know what was merged, and not only the model that came of it."""

    def inform(self, setting: MergeSetting) -> None:
        """Told before the model of a merge is evaluated."""
        ...


def checked(outcome: Any, examples: Sequence[Example]) -> Outcome:
    """Refuse an outcome that makes no sense.

    Args:
        outcome: What an evaluator returned.
        examples: What it was asked about.

    Returns:
        The same outcome.

    Raises:
        EvaluationError: If it is about other examples, or not every score is a number from 0 to 1.
    """
    if not isinstance(outcome, Outcome):
        raise EvaluationError(f"the evaluator returned {type(outcome).__name__}, not an Outcome", kind="nonsense")
    if [example.id for example in outcome.examples] != [example.id for example in examples]:
        raise EvaluationError("the evaluator answered other examples than it was asked about", kind="nonsense")
    scores = np.asarray(outcome.scores)
    if scores.shape != (len(examples),):
        raise EvaluationError(f"{len(examples)} examples have scores of shape {scores.shape}", kind="nonsense")
    bad = ~((scores >= 0) & (scores <= 1))  # so that NaN is bad as well
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise EvaluationError(
            f"example {examples[first].id!r} scored {scores[first]}, and {int(bad.sum()) - 1} others are no numbers "
            "from 0 to 1 either",
            kind="nonsense",
        )
    if len(outcome.responses) not in (0, len(examples)):
        raise EvaluationError(f"{len(examples)} examples have {len(outcome.responses)} responses", kind="nonsense")
    if not 0 <= outcome.dollars < float("inf"):
        raise EvaluationError(f"the evaluation is said to have cost {outcome.dollars} dollars", kind="nonsense")
    return outcome
