"""The pair's own examples, scored in this process."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo_bench.evaluation.base import Outcome, Scorer
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example, Split, of_split, read_examples
from hpo_bench.evaluation.options import Options
from hpo_bench.merging.pair import LoadedPair, Pair

TEACHER_FORCED = "exact_match"


class Local:
    """Scores the live model on examples from a file.

    Args:
        examples: The whole benchmark, both splits.
        scorer: What scores a batch.
        batch_size: How many examples it gets at once.
    """

    def __init__(self, examples: Sequence[Example], scorer: Scorer, *, batch_size: int) -> None:
        self._examples = tuple(examples)
        self._scorer = scorer
        self.batch_size = batch_size

    def examples(self, split: Split) -> Sequence[Example]:
        """The examples on one side of the split."""
        return of_split(self._examples, split)

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Outcome:
        """Score the model batch by batch.

        Raises:
            EvaluationError: If there is no score to be had.
        """
        parts = [
            self._scorer.evaluate(model, examples[start : start + self.batch_size])
            for start in range(0, len(examples), self.batch_size)
        ]
        return Outcome(
            examples=tuple(examples),
            scores=np.concatenate([part.scores for part in parts]) if parts else np.zeros(0),
            seconds=sum(part.seconds for part in parts),
            responses=tuple(response for part in parts for response in part.responses),
            dollars=sum(part.dollars for part in parts),
        )


def open_kind(pair: Pair, loaded: LoadedPair, options: Mapping[str, Any]) -> Local:
    """The evaluator of kind `local`.

    Args:
        pair: Where relative paths begin.
        loaded: Its processor encodes.
        options: See the module `options`.

    Raises:
        UsageError: If an option is unknown or makes no sense, or the examples cannot be read.
    """
    given = Options(options, source=f"{pair.folder / 'pair.yaml'}, evaluation")
    given.word("metric", TEACHER_FORCED, one_of=(TEACHER_FORCED,))
    batch_size = given.whole("batch_size", 4096, least=1)
    given.finish()
    return Local(read_examples(pair.examples), ExactMatch(loaded.processor), batch_size=batch_size)
