"""A judge model that scores answers for money: asked once for each content, and never beyond a limit."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.judging.cache import JudgeCache, JudgeTerms
from hpo_bench.evaluation.judging.chat import Chat, dollars_of, url_flaw
from hpo_bench.evaluation.judging.mark import mark_in
from hpo_bench.evaluation.metrics import JUDGE, scoring_version
from landscapes.written import Count, Number, Text

PROMPT = (
    "Question: {question}\nRight answer: {answer}\nAnswer to judge: {response}\n\n"
    "Is the answer to judge right? Reply with a number from 0 (wrong) to 1 (right) and nothing else."
)
FRAME = 64
"""Tokens that a chat format adds to a message, at most."""
_PLACE = re.compile(r"\{(question|answer|response)\}")
READING = f"\0 mark {scoring_version(JUDGE)}"
"""How replies are read, beside what they are kept under: what was read otherwise is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions(JudgeTerms):
    """The section `judge:` of an evaluation.

    Attributes:
        url: Of an OpenAI-compatible API, without `/chat/completions`.
        model: Its name there.
        key_variable: The environment variable that holds the key.
        prompt: With {question}, {answer} and {response}.
        scale: What the judge's best mark is; marks are divided by it.
        max_tokens: Where the judge's answer is cut.
        seconds: How long an answer may take.
    """

    url: Text
    model: Text
    key_variable: Text = "OPENAI_API_KEY"
    prompt: Text = PROMPT
    scale: Annotated[Number, Ge(1e-9)] = 1.0
    max_tokens: Count = 64
    seconds: Annotated[Number, Ge(0.1), Le(86_400.0)] = 60.0
    parallel: Count = 8

    def __post_init__(self) -> None:
        if flaw := url_flaw(self.url.rstrip("/")):
            raise ValueError(f"url {flaw}")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.key_variable):
            raise ValueError("key_variable must be the name of an environment variable, and not the key itself")
        if not re.fullmatch(r"[!-~]*", self.key):
            raise ValueError(
                f"key_variable names {self.key_variable}, which holds a space or something else that no key has"
            )
        if "{response}" not in self.prompt:
            raise ValueError("prompt must contain {response}")

    @property
    def key(self) -> str:
        """The key; "" where there is none."""
        return os.environ.get(self.key_variable, "").strip()


@dataclass(frozen=True, slots=True)
class Judge:
    """Scores responses by asking a model behind an OpenAI-compatible `chat/completions`.

    Identical answers of neighbouring merges are asked about once: what was judged is kept by its content. Dollars
    follow from the tokens that the judge reports and the prices of the configuration; what could go beyond the limit is
    not asked. Whatever keeps the judge from answering with a number is a failure, never a score.

    Attributes:
        options: What is asked, and what it may cost.
        chat: Where it is asked.
        cache: What was judged before.
    """

    options: JudgeOptions
    chat: Chat
    cache: JudgeCache

    @classmethod
    def of(cls, options: JudgeOptions) -> Self:
        """A judge by his options, who is asked nothing before he is `ready`."""
        return cls(options, Chat(url=options.url.rstrip("/"), key=options.key, seconds=options.seconds), options.kept)

    def __call__(self, examples: Sequence[Example], responses: Sequence[str]) -> tuple[NDArray[np.float64], float]:
        """Scores, and what was paid for those that were not known.

        Raises:
            EvaluationError: If the judge does not answer, does not answer with a number in its scale, or is too dear.
        """
        prompts = [self._prompt(e.question, _all(e), said) for e, said in zip(examples, responses, strict=True)]
        known = {prompt: self._known(prompt) for prompt in dict.fromkeys(prompts)}
        paid = 0.0
        with ThreadPoolExecutor(self.options.parallel) as pool:
            asked = {prompt: pool.submit(self._ask, prompt) for prompt, mark in known.items() if mark is None}
            failure: EvaluationError | None = None
            for prompt, future in asked.items():
                try:
                    known[prompt], dollars = future.result()
                    paid += dollars
                except EvaluationError as error:
                    paid += error.dollars
                    failure = failure or error
        if failure is not None:
            failure.dollars = paid
            raise failure
        marks = [mark / self.options.scale for prompt in prompts if (mark := known[prompt]) is not None]
        return np.array(marks), paid

    def ready(self) -> Self:
        """Ask one question, so that a wrong key is known before the first merge.

        Returns:
            The judge, whose cache is there.

        Raises:
            EvaluationError: If the judge does not answer as it should.
        """
        self.cache.make()
        test = self._prompt("What is 1 + 1?", "2", "2")
        if self._known(test) is None:
            self._ask(test)
        return self

    def _prompt(self, question: str, answer: str, response: str) -> str:
        # In one pass, and not by str.format: questions and responses hold braces of their own.
        texts = {"question": question, "answer": answer, "response": response}
        return _PLACE.sub(lambda place: texts[place[1]], self.options.prompt)

    def _ask(self, prompt: str) -> tuple[float, float]:
        """The mark, and what it cost in dollars."""
        # No text has more tokens than bytes, but for the few that frame a message.
        asked, answered = len(prompt.encode()) + FRAME, self.options.max_tokens
        most = (asked * self.options.price_in + answered * self.options.price_out) / 1e6
        lost, reservation = 0.0, self._reserve(most)

        def unanswered(why: str) -> None:
            nonlocal lost, reservation
            lost, reservation = lost + most, None  # nobody says what that cost, so that it stays paid
            reservation = self._reserve(most, f"the judge at {self.chat.url} does not answer ({why}): ")

        dollars = 0.0
        try:
            answer = self.chat.post(
                {
                    "model": self.options.model,
                    "temperature": 0,
                    "max_tokens": self.options.max_tokens,
                    "messages": [{"role": "user", "content": prompt}],
                },
                unanswered=unanswered,
            )
            dollars = most  # unless it says something else that makes sense
            said, dollars = self._read(answer)
            mark = self._mark(said)
        except EvaluationError as error:
            error.dollars = dollars + lost
            raise
        finally:
            if reservation is not None:
                self.cache.settle(reservation, dollars)
        self.cache.put(self.options.model, self.chat.url, prompt + READING, mark)
        return mark, dollars + lost

    def _reserve(self, most: float, after: str = "") -> int | None:
        """Set aside what one more question can cost."""
        reservation = self.cache.reserve(most, limit=self.options.max_dollars)
        if reservation is None:
            raise EvaluationError(
                f"{after}the judge has cost {self.cache.spent():.2f} dollars, and one more question may exceed the "
                f"limit of {self.options.max_dollars:g}",
                kind="money",
            )
        return reservation

    def _read(self, answer: Any) -> tuple[str, float]:
        try:
            said = str(answer["choices"][0]["message"]["content"])
            return said, dollars_of(answer["usage"], price_in=self.options.price_in, price_out=self.options.price_out)
        except (KeyError, IndexError, TypeError) as error:
            raise EvaluationError(
                f"the judge at {self.chat.url} sent no chat completion with usage", kind="judge"
            ) from error
        except ValueError as error:
            raise EvaluationError(f"the judge at {self.chat.url} cannot be believed: {error}", kind="judge") from error

    def _mark(self, said: str) -> float:
        mark = mark_in(said, scale=self.options.scale)
        if mark is None:
            text = self.chat.masked(said)[:80]
            raise EvaluationError(
                f"the judge said {text!r}, not one number from 0 to {self.options.scale:g}; ask for that and nothing "
                "else in `prompt`, and say as `scale` what its best mark is",
                kind="judge",
            )
        return mark

    def _known(self, prompt: str) -> float | None:
        """The mark that was given before, unless on another scale."""
        mark = self.cache.get(self.options.model, self.chat.url, prompt + READING)
        return mark if mark is not None and 0 <= mark <= self.options.scale else None


def _all(example: Example) -> str:
    """Every right answer, for a judge to read."""
    return " / ".join(dict.fromkeys(example.answers))
