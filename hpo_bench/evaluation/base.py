"""What an evaluator is, what it answers, and when its answer is no answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.examples import SPLITS, Example, Split, first_drawn
from hpo_bench.merging.setting import MergeSetting


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """How a model did, example by example: what an evaluator gives, a trial keeps and a table of scores sums up.

    Attributes:
        ids: Of the n examples.
        categories: Theirs.
        scores: One score in [0, 1] each, higher is better, of shape (n,).
        responses: What the model said, one text an example; empty where the evaluator does not generate.
        dollars: What a judge or another paid service charged for it.
    """

    ids: tuple[str, ...]
    categories: tuple[str, ...]
    scores: NDArray[np.float64]
    responses: tuple[str, ...] = ()
    dollars: float = 0.0

    @classmethod
    def of(
        cls,
        examples: Sequence[Example],
        scores: NDArray[np.float64],
        responses: Sequence[str] = (),
        *,
        dollars: float = 0.0,
    ) -> Self:
        """Answers to examples, in their order; see the attributes."""
        ids, categories = (tuple(getattr(one, name) for one in examples) for name in ("id", "category"))
        return cls(ids, categories, scores, tuple(responses), dollars)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def score(self) -> float:
        """The mean score; NaN where there is none."""
        return float(self.scores.mean()) if len(self.scores) else float("nan")

    @property
    def standard_error(self) -> float:
        """Of the mean, from the spread over examples; NaN for a single one."""
        if len(self.scores) < 2:
            return float("nan")
        return float(self.scores.std(ddof=1) / np.sqrt(len(self.scores)))

    def only(self, which: NDArray[np.bool_]) -> Self:
        """Those for which `which`, of shape (n,), is true; what was charged is not theirs alone, and left out."""

        def chosen(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(value for value, taken in zip(values, which, strict=True) if taken)

        responses = chosen(self.responses) if self.responses else ()
        return type(self)(chosen(self.ids), chosen(self.categories), self.scores[which], responses)


class Evaluator(Protocol):
    """Knows its benchmark, and scores a model on any subset of its examples."""

    def examples(self, split: Split) -> Sequence[Example]:
        """The benchmark's examples on one side of the split."""
        ...

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Score the model on each of the examples, to be maximised.

        Raises:
            EvaluationError: If there is no score to be had. A failure is never a score.
        """
        ...


def lacks(opened: object) -> str:
    """What keeps something from being an evaluator, for a sentence that names it; "" where nothing does."""
    what = "returns None" if opened is None else f"returns a {type(opened).__name__}"
    missing = [name for name in ("examples", "evaluate") if not callable(getattr(opened, name, None))]
    if isinstance(opened, type):
        return f"returns the class {opened.__name__}, and not one of its objects"
    return f"{what}, which has no method {' and no method '.join(missing)}" if missing else ""


def asked(evaluator: Evaluator, split: Split, tuned_on: int | None = None) -> Sequence[Example]:
    """The examples on one side.

    Args:
        evaluator: What knows them.
        split: Which side.
        tuned_on: How many of all examples are validation examples, the first drawn; None for those of the split.
    """
    if tuned_on is None:
        return evaluator.examples(split)
    every = [example for side in SPLITS for example in evaluator.examples(side)]
    first = first_drawn(every, tuned_on)
    taken = {example.id for example in first}
    return first if split == "validation" else tuple(example for example in every if example.id not in taken)


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


@runtime_checkable
class Following(Protocol):
    """An evaluator whose answers are known to be the present weights': computed by our own code, from nothing kept.

    Of any other one, merges that answer all examples alike are suspicious.

    Attributes:
        follows_weights: True.
    """

    follows_weights: bool


_TEXTS = ("ids", "categories", "responses")


def checked(answers: Any, examples: Sequence[Example]) -> Answers:
    """Refuse answers that make no sense.

    Args:
        answers: What an evaluator returned.
        examples: What it was asked about.

    Returns:
        The same answers, their scores as an array of floats, their texts in tuples.

    Raises:
        EvaluationError: If they are to other examples, not every score is a number from 0 to 1, categories and
            responses are no texts, one an example, or what was charged is no amount.
    """
    if not isinstance(answers, Answers):
        raise EvaluationError(f"the evaluator returned {type(answers).__name__}, not Answers", kind="nonsense")
    if not isinstance(answers.dollars, Real) or not 0 <= answers.dollars < float("inf"):
        raise EvaluationError(f"the evaluation is said to have cost {answers.dollars!r} dollars", kind="nonsense")
    if flaw := _flaw(answers, examples):
        raise EvaluationError(flaw, kind="nonsense")
    ids, categories, responses = (tuple(map(str, getattr(answers, name))) for name in _TEXTS)
    scores = np.asarray(answers.scores).astype(np.float64, copy=False)
    return Answers(ids, categories, scores, responses, float(answers.dollars))


def _flaw(answers: Answers, examples: Sequence[Example]) -> str:
    """What is wrong with answers, in words; "" where nothing is."""
    for name in _TEXTS:
        texts = getattr(answers, name)
        if not isinstance(texts, list | tuple | np.ndarray) or not all(isinstance(text, str) for text in texts):
            return f"{name} are {str(texts)[:60]}, and no texts in a tuple"
        if len(texts) != len(examples) and (len(texts) or name != "responses"):
            return f"{len(examples)} examples have {len(texts)} {name}"
    if list(answers.ids) != [example.id for example in examples]:
        return "the evaluator answered other examples than it was asked about"
    scores = np.asarray(answers.scores)
    if scores.dtype.kind not in "biuf":
        return f"scores are {str(scores.tolist())[:60]}, which are no numbers"
    if scores.shape != (len(examples),):
        return f"{len(examples)} examples have scores of shape {scores.shape}"
    bad = ~((scores >= 0) & (scores <= 1))  # so that NaN is bad as well
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        return (
            f"example {examples[first].id!r} scored {scores[first]}, and {int(bad.sum()) - 1} others are no numbers "
            "from 0 to 1 either"
        )
    return ""
