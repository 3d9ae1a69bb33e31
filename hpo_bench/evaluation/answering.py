"""How questions are put and answers scored, as options say: what evaluators that let a model answer have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.judging.judge import JUDGE, read_judge
from hpo_bench.evaluation.metrics import METRICS, ByRule, Scores
from hpo_bench.evaluation.options import Options
from hpo_bench.evaluation.reading.columns import OPTIONS
from hpo_bench.merging.loaded import LoadedPair

TEACHER_FORCED = "exact_match"
_OF_GENERATED = ("max_new_tokens", "stop", "strip_thinking")


@dataclass(frozen=True, slots=True)
class Answering:
    """What the options of an evaluation say of questions and answers.

    Attributes:
        metric: One of `METRICS`, or a judge.
        generates: Whether answers are decoded.
        chat: How `Prompts` frames questions.
        decoding: How answers end, as `Generation` takes it; empty where none are decoded.
        scores: Makes what scores responses, once a model is there to be asked.
    """

    metric: str
    generates: bool
    chat: Mapping[str, Any]
    decoding: Mapping[str, Any]
    scores: Callable[[], Scores]

    @classmethod
    def read(cls, given: Options, source: str, *, forced: bool) -> Self:
        """Read the options that are about questions and answers, and let those of the examples stand.

        Args:
            given: The section.
            source: Where it stands, for messages.
            forced: Whether an exact match may be told without decoding.

        Raises:
            UsageError: If one makes no sense.
        """
        metric = given.word("metric", TEACHER_FORCED, one_of=(*METRICS, JUDGE))
        for known in ("examples", *OPTIONS):
            given.known(known)
        generates = given.flag("generate", metric != TEACHER_FORCED) if forced else True
        if not generates and metric != TEACHER_FORCED:
            raise given.wrong("generate", f"must be true for the metric {metric}")
        chat: dict[str, Any] = {"chat_template": given.flag("chat_template", True)}
        if given.has("system_prompt"):
            chat["system_prompt"] = given.word("system_prompt", None)
        if given.has("enable_thinking"):
            chat["enable_thinking"] = given.flag("enable_thinking", True)
        decoding: dict[str, Any] = {}
        if generates:
            decoding["max_new_tokens"] = given.whole("max_new_tokens", 64, least=1)
            decoding["stop"] = given.words("stop", ())
            decoding["strip_thinking"] = given.flag("strip_thinking", True)
        for needless in () if generates else _OF_GENERATED:
            if given.has(needless):
                raise given.wrong(needless, "is about generated answers; say `generate: true`, or leave it out")
        judge = read_judge(given.mapping("judge"), source) if metric == JUDGE else None
        return cls(
            metric, generates, chat, decoding, judge.ready if judge is not None else lambda: ByRule(METRICS[metric])
        )

    def prompts(self, loaded: LoadedPair) -> Prompts:
        """What frames questions for a pair's VLM."""
        return Prompts(loaded.processor, **self.chat)
