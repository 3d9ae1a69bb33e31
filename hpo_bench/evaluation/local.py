"""Evaluations of kind `local`: the pair's own examples, answered and scored in this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from hpo_bench.display.words import first_line
from hpo_bench.evaluation.answering import Answering
from hpo_bench.evaluation.base import Answers, Scorer
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example, Split, of_split
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.options import Options
from hpo_bench.evaluation.preflight import Dialogue
from hpo_bench.evaluation.reading.benchmark import ExampleSet
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


class BatchedScorer(Scorer, Protocol):
    """A scorer that takes so many examples at once, and tells what it asks."""

    batch_size: int

    def check(self, examples: Sequence[Example]) -> None:
        """See that every example can be asked."""
        ...

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What is asked and said about some examples."""
        ...


class LocalEvaluator:
    """Scores the live model on examples from a file.

    Args:
        benchmark: Both splits, and how they were understood.
        scorer: What answers and scores.
    """

    follows_weights = True

    def __init__(self, benchmark: ExampleSet, scorer: BatchedScorer) -> None:
        self._benchmark, self._scorer = benchmark, scorer

    @property
    def batch_size(self) -> int:
        """How many examples share a forward pass; may be lowered when memory runs out."""
        return self._scorer.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._scorer.batch_size = size

    def examples(self, split: Split) -> Sequence[Example]:
        """The examples on one side of the split."""
        return of_split(self._benchmark.examples, split)

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Score the model.

        Raises:
            EvaluationError: If there is no score to be had.
        """
        return self._scorer.evaluate(model, examples)

    def check(self, examples: Sequence[Example]) -> None:
        """See that every example can be asked.

        Raises:
            EvaluationError: If some cannot.
        """
        self._scorer.check(examples)

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What is asked and said about some examples, and how the benchmark was understood."""
        told = self._scorer.dialogue(model, examples)
        return replace(told, notes=(*self._benchmark.notes, *told.notes))


def open_kind(pair: Pair, loaded: LoadedPair, options: Mapping[str, Any]) -> LocalEvaluator:
    """The evaluator of kind `local`.

    Args:
        pair: Where relative paths begin.
        loaded: Its processor encodes.
        options: `examples`, a file or folder (default: the pair's own; see `read_table`), and what its columns are
            called (see `Columns`); `metric`, one of exact_match (default), multiple_choice, contains, numeric, vqa
            and judge; `generate`, whether answers are decoded (default: for every metric but exact_match, which one
            teacher-forced pass tells); `batch_size`; `attention`, such as eager, sdpa or flash_attention_2;
            `chat_template` (true), whether questions go through the processor's, and for that `system_prompt` and
            `enable_thinking`; and for generated answers `max_new_tokens` (64), `stop`, texts that end an answer, and
            `strip_thinking` (true), whether thoughts are left out of what is scored.

    Raises:
        UsageError: If an option is unknown or makes no sense, or the examples cannot be read.
        EvaluationError: If the judge does not answer.
    """
    return read_options(pair, options)(loaded)


def read_options(pair: Pair, options: Mapping[str, Any]) -> Callable[[LoadedPair], LocalEvaluator]:
    """Read what `open_kind` is given, which is called at last with the pair in memory."""
    source = f"{pair.folder / 'pair.yaml'}, evaluation"
    given = Options(options, source=source)
    answering = Answering.read(given, source, forced=True)
    batch_size = given.whole("batch_size", 16 if answering.generates else 128, least=1)
    attention = given.word("attention", None) if given.has("attention") else ""
    given.finish()

    def opened(loaded: LoadedPair) -> LocalEvaluator:
        benchmark = read_own(pair)
        _attend(loaded.vlm, attention, given)
        prompts = answering.prompts(loaded)
        if not answering.generates:
            return LocalEvaluator(benchmark, ExactMatch(prompts, batch_size=batch_size))
        scorer = Generation(prompts, answering.scores(), batch_size=batch_size, **answering.decoding)
        return LocalEvaluator(benchmark, scorer)

    return opened


def _attend(model: Any, attention: str, given: Options) -> None:
    """Let a model compute attention in the way that the user names."""
    if not attention:
        return
    try:
        model.set_attn_implementation(attention)
    except (ValueError, ImportError, AttributeError) as error:
        raise given.wrong("attention", f"cannot be {attention!r} here: {first_line(error)}") from error
