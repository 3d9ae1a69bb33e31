"""Evaluations of kind `local`: the pair's own examples, answered and scored in this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpo_bench.display.words import first_line
from hpo_bench.errors import UsageError
from hpo_bench.evaluation.answering import TEACHER_FORCED, AnswerOptions
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example, Split, of_split
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.options import EvaluatorKind, read_section, source
from hpo_bench.evaluation.preflight import Dialogue
from hpo_bench.evaluation.reading.benchmark import ExampleSet
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from landscapes.written import Count, Text

_OF_GENERATED = ("max_new_tokens", "stop", "strip_thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions(AnswerOptions):
    """What an evaluation of kind `local` may say.

    Attributes:
        generate: Whether answers are decoded; by default for every metric but exact_match, which one teacher-forced
            pass tells.
        batch_size: How many examples share a forward pass; by default 16 where answers are decoded, else 128.
        attention: How it is computed, such as eager, sdpa or flash_attention_2.
    """

    generate: bool | None = None
    batch_size: Count | None = None
    attention: Text | None = None

    def __post_init__(self) -> None:
        AnswerOptions.__post_init__(self)  # spelled out, as slots leave no other way
        if self.generate is False and self.metric != TEACHER_FORCED:
            raise UsageError(f"generate must be true for the metric {self.metric}")
        for needless in () if self.generates else _OF_GENERATED:
            if getattr(self, needless) is not None:
                raise UsageError(f"{needless} is about generated answers; say `generate: true`, or leave it out")

    @property
    def generates(self) -> bool:
        """Whether answers are decoded."""
        return self.metric != TEACHER_FORCED if self.generate is None else self.generate


class FileEvaluator:
    """Scores a model on examples from a file.

    Args:
        benchmark: Both splits, and how they were understood.
        scorer: What answers with a live model's weights, and scores.
    """

    follows_weights = True

    def __init__(self, benchmark: ExampleSet, scorer: ExactMatch | Generation) -> None:
        self._benchmark, self._scorer = benchmark, scorer

    def examples(self, split: Split) -> Sequence[Example]:
        """The examples on one side of the split."""
        return of_split(self._benchmark.examples, split)

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Score the model.

        Raises:
            EvaluationError: If there is no score to be had.
        """
        return self._scorer.evaluate(model, examples)

    @property
    def prompts(self) -> Prompts:
        """What frames its questions."""
        return self._scorer.prompts

    def check(self, examples: Sequence[Example]) -> None:
        """See that every example can be asked.

        Raises:
            EvaluationError: If some cannot.
        """
        self._scorer.prompts.check(examples)

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What is asked and said about some examples, and how the benchmark was understood."""
        told = self._scorer.dialogue(model, examples)
        doubts = self._scorer.prompts.doubts(self._benchmark.examples, room=room_of(model))
        return replace(told, notes=(*self._benchmark.notes, *doubts, *told.notes))


class LocalEvaluator(FileEvaluator):
    """Scores the live model itself on examples from a file.

    Args:
        benchmark: Both splits, and how they were understood.
        scorer: What lets it answer in batches, and scores.
    """

    @property
    def batch_size(self) -> int:
        """How many examples share a forward pass; may be lowered when memory runs out."""
        return self._scorer.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._scorer.batch_size = size


@EvaluatorKind
def open_kind(pair: Pair, options: Mapping[str, Any]) -> Callable[[LoadedPair], LocalEvaluator]:
    """Read `LocalOptions`; what is returned opens the evaluator of kind `local`.

    Raises:
        UsageError: If an option is unknown or makes no sense; once opened, if the examples cannot be read.
        EvaluationError: Once opened, if the judge does not answer.
    """
    given = read_section(pair, options, LocalOptions)
    batch_size = given.batch_size or (16 if given.generates else 128)

    def opened(loaded: LoadedPair) -> LocalEvaluator:
        benchmark = read_own(pair)
        if given.attention is not None:
            _attend(loaded.vlm, given.attention, source(pair))
        prompts = given.prompts(loaded)
        if not given.generates:
            return LocalEvaluator(benchmark, ExactMatch(prompts, batch_size=batch_size))
        scorer = Generation(prompts, given.scores(), batch_size=batch_size, **given.decoding)
        return LocalEvaluator(benchmark, scorer)

    return opened


def _attend(model: Any, attention: str, where: str) -> None:
    """Let a model compute attention in the way that the user names."""
    try:
        model.set_attn_implementation(attention)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(f"{where}: attention cannot be {attention!r} here: {first_line(error)}") from error


def room_of(model: Any) -> int | None:
    """How many tokens a model was made for; None where its configuration does not say."""
    config = getattr(model, "config", None)
    text = getattr(config, "get_text_config", lambda: config)()
    room, rope = getattr(text, "max_position_embeddings", None), getattr(text, "rope_parameters", None)
    if not isinstance(room, int):
        return None
    # Some that stretch their positions by YaRN, as Qwen's, still give there how many there were before. Where layers
    # differ each kind has its own.
    kinds = [one for one in (rope, *rope.values()) if isinstance(one, Mapping)] if isinstance(rope, Mapping) else []
    stretched = [one for one in kinds if one.get("rope_type") == "yarn" and one.get("factor")]
    return max([room, *(int(one.get("original_max_position_embeddings", 0) * one["factor"]) for one in stretched)])
