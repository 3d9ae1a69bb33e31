"""How questions are put and answers scored, as options say: what evaluators that let a model answer have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.judging.judge import JUDGE, read_judge
from hpo_bench.evaluation.metrics import METRICS, ByRule, Scores
from hpo_bench.evaluation.reading.columns import ExampleOptions
from hpo_bench.merging.loaded import LoadedPair
from landscapes.written import Count, Text, Texts
from surrogates.nearest import offer

TEACHER_FORCED = "exact_match"
MAX_NEW_TOKENS = 64
_OF_CHAT = ("chat_template", "system_prompt", "enable_thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions(ExampleOptions):
    """What an evaluation may say of questions and answers.

    Attributes:
        metric: One of exact_match, multiple_choice, contains, numeric, vqa and judge.
        judge: Who judges, for that metric; see `JudgeOptions`.
        chat_template: Whether questions go through the processor's.
        system_prompt: What is said before the question there.
        enable_thinking: Whether it asks for thoughts.
        max_new_tokens: Where a generated answer is cut.
        stop: Texts that end one.
        strip_thinking: Whether thoughts are left out of what is scored; by default they are.
    """

    metric: Text = TEACHER_FORCED
    judge: Mapping[str, Any] = field(default_factory=dict)
    chat_template: bool = True
    system_prompt: Text | None = None
    enable_thinking: bool | None = None
    max_new_tokens: Count | None = None
    stop: Texts | None = None
    strip_thinking: bool | None = None

    def __post_init__(self) -> None:
        if self.metric not in (*METRICS, JUDGE):
            raise UsageError(f"metric is {self.metric!r}; {offer(self.metric, (*METRICS, JUDGE))}")
        if self.judge and self.metric != JUDGE:
            raise UsageError(f"judge is about the metric {JUDGE}; say `metric: {JUDGE}`, or leave it out")


@dataclass(frozen=True, slots=True)
class Answering:
    """What the options of an evaluation say of questions and answers, made ready.

    Attributes:
        chat: How `Prompts` frames questions.
        decoding: How generated answers end, as `Generation` takes it.
        scores: Makes what scores responses, once a model is there to be asked.
    """

    chat: Mapping[str, Any]
    decoding: Mapping[str, Any]
    scores: Callable[[], Scores]

    @classmethod
    def of(cls, given: AnswerOptions, where: str) -> Self:
        """Read the options; nobody is asked.

        Args:
            given: The options.
            where: Where they stand, for messages.

        Raises:
            UsageError: If one about a judge makes no sense.
        """
        judge = read_judge(given.judge, where) if given.metric == JUDGE else None
        return cls(
            chat={name: value for name in _OF_CHAT if (value := getattr(given, name)) is not None},
            decoding={
                "max_new_tokens": given.max_new_tokens or MAX_NEW_TOKENS,
                "stop": given.stop or (),
                "strip_thinking": given.strip_thinking is not False,
            },
            scores=judge.ready if judge is not None else lambda: ByRule(METRICS[given.metric]),
        )

    def prompts(self, loaded: LoadedPair) -> Prompts:
        """What frames questions for a pair's VLM."""
        return Prompts(loaded.processor, **self.chat)
