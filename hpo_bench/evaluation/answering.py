"""How questions are put and answers scored, as options say: what evaluators that let a model answer have in common."""

from dataclasses import dataclass
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.judging.judge import Judge, JudgeOptions
from hpo_bench.evaluation.metrics import JUDGE, METRICS, TEACHER_FORCED, ByRule, Scores
from hpo_bench.evaluation.reading.columns import ExampleOptions
from hpo_bench.merging.loaded import LoadedPair
from landscapes.written import Count, Text, Texts
from surrogates.spelling import offer

MAX_NEW_TOKENS = 64
_OF_CHAT = ("chat_template", "system_prompt", "enable_thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions(ExampleOptions):
    """What an evaluation may say of questions and answers.

    Attributes:
        metric: One of exact_match, multiple_choice, contains, numeric, vqa and judge.
        judge: Who judges, for that metric.
        chat_template: Whether questions go through the processor's.
        system_prompt: What is said before the question there.
        enable_thinking: Whether it asks for thoughts.
        max_new_tokens: Where a generated answer is cut.
        stop: Texts that end one.
        strip_thinking: Whether thoughts are left out of what is scored; by default they are.
    """

    metric: Text = TEACHER_FORCED
    judge: JudgeOptions | None = None
    chat_template: bool = True
    system_prompt: Text | None = None
    enable_thinking: bool | None = None
    max_new_tokens: Count | None = None
    stop: Texts | None = None
    strip_thinking: bool | None = None

    def __post_init__(self) -> None:
        if self.metric not in (*METRICS, JUDGE):
            raise UsageError(f"metric is {self.metric!r}; {offer(self.metric, (*METRICS, JUDGE))}")
        if self.judge is not None and self.metric != JUDGE:
            raise UsageError(f"judge is about the metric {JUDGE}; say `metric: {JUDGE}`, or leave it out")
        if self.judge is None and self.metric == JUDGE:
            raise UsageError(f"the metric {JUDGE} asks a model: say which, and what it may cost, under `judge`")

    @property
    def decoding(self) -> dict[str, Any]:
        """How generated answers end, as `Generation` takes it."""
        return {
            "max_new_tokens": self.max_new_tokens or MAX_NEW_TOKENS,
            "stop": self.stop or (),
            "strip_thinking": self.strip_thinking is not False,
        }

    def prompts(self, loaded: LoadedPair) -> Prompts:
        """What frames questions for a pair's VLM."""
        said = {name: value for name in _OF_CHAT if (value := getattr(self, name)) is not None}
        return Prompts(loaded.processor, **said)

    def scores(self) -> Scores:
        """What scores responses.

        Raises:
            EvaluationError: If it is a judge, and he does not answer as he should.
        """
        return ByRule(METRICS[self.metric]) if self.judge is None else Judge.of(self.judge).ready()
