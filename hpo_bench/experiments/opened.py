"""A pair that experiments merge in memory and ask, merge after merge."""

from functools import cached_property
from typing import Any

from hpo_bench.evaluation.base import Answers, Evaluator
from hpo_bench.evaluation.examples import Split
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.evaluation.trusted import answers_of
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting


class OpenedPair:
    """A pair with its models and its evaluator, each opened when it is first needed.

    Args:
        pair: The pair on disk.
        engine: Options of `Resident`, which makes the merges.

    Raises:
        MergeError: Of what opens the models, if they cannot be loaded.
        EvaluationError: Of what asks them, if they cannot be scored.
    """

    def __init__(self, pair: Pair, **engine: Any) -> None:
        self.pair, self._options = pair, engine

    @cached_property
    def loaded(self) -> LoadedPair:
        """The models in memory."""
        return LoadedPair.load(self.pair)

    @cached_property
    def engine(self) -> Resident:
        """What merges them in place."""
        return Resident(self.loaded, **self._options)

    @cached_property
    def evaluator(self) -> Evaluator:
        """What asks them."""
        return open_evaluator(self.pair, self.loaded)

    def answers(self, *splits: Split, merge: MergeSetting | None = None) -> Answers:
        """Of the live VLM as it is, to all examples of these splits; `merge` says by what it was merged, if known."""
        examples = [one for split in splits for one in self.evaluator.examples(split)]
        return answers_of(self.loaded.vlm, self.evaluator, examples, merge=merge)

    def merged(self, setting: MergeSetting, *splits: Split) -> Answers:
        """Of the VLM merged by a setting, which it stays."""
        self.engine.merge(setting)
        return self.answers(*splits, merge=setting)
