"""Answers by greedy decoding, in batches, cut where they have gone astray."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.asking.prompts import Prompts, chunks
from hpo_bench.evaluation.asking.thoughts import opened_by, without_thoughts
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.metrics import Scores
from hpo_bench.evaluation.preflight import Dialogue

LOOP, TURNS = 6, 5
"""A response is endless when its last tokens are one block of at most so many tokens, so many times over."""
ENDLESS_SHARE = 0.5
"""A merge of which more answers are endless is broken, and its score would say nothing."""


class Generation:
    """Lets a model answer and scores what it says.

    Decoding is plainly greedy: what a generation configuration says of sampling and of penalties for repetition is left
    aside, so that the answer is the one that teacher forcing asks for.

    Args:
        prompts: Frames questions as the model was trained to read them.
        scores: What scores responses.
        batch_size: How many examples are answered at once.
        max_new_tokens: Where an answer is cut, thoughts and all.
        stop: Texts that end an answer, and do not belong to it; in thoughts they end nothing.
        strip_thinking: Whether thoughts between tags such as `<think>` are left out of what is scored.

    Attributes:
        prompts: The same.
        batch_size: The same; may be lowered when memory runs out.
    """

    def __init__(
        self,
        prompts: Prompts,
        scores: Scores,
        *,
        batch_size: int = 16,
        max_new_tokens: int = 64,
        stop: Sequence[str] = (),
        strip_thinking: bool = True,
    ) -> None:
        self.prompts, self.batch_size = prompts, batch_size
        self._scores, self._max_new_tokens = scores, max_new_tokens
        self._stop, self._strip = tuple(stop), strip_thinking

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Answer and score each example.

        Raises:
            EvaluationError: If most answers are endless, or responses cannot be scored.
        """
        responses, endless = self.respond(model, examples)
        if len(examples) and endless.mean() > ENDLESS_SHARE:
            sample = responses[int(endless.argmax())][-60:]
            raise EvaluationError(
                f"{int(endless.sum())} of {len(examples)} answers repeat themselves without end, such as ...{sample!r}",
                kind="endless",
            )
        scores, dollars = self._scores(examples, responses)
        return Answers.of(examples, scores, responses, dollars=dollars)

    def check(self, examples: Sequence[Example]) -> None:
        """See that every example can be asked.

        Raises:
            EvaluationError: If some cannot.
        """
        self.prompts.check(examples)

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What the model says in batches, and to each question by itself."""
        said, _ = self.respond(model, examples)
        single = [self.respond(model, [example])[0][0] for example in examples]
        prompts = [self.prompts.text(example) for example in examples]
        notes = ()
        if self._strip and (empty := sum(not one for one in said)):
            notes = (
                f"{empty} of {len(said)} answers are empty; where a model ends within its thoughts, give it more room "
                f"by `max_new_tokens` ({self._max_new_tokens}) under `evaluation`, or try `enable_thinking: false`",
            )
        return Dialogue(prompts, said, said, single, self.prompts.manner, notes)

    def respond(self, model: Any, examples: Sequence[Example]) -> tuple[list[str], NDArray[np.bool_]]:
        """What the model says to each example, and which answers were cut for repeating themselves, of shape (n,)."""
        return respond(
            self.prompts,
            model,
            examples,
            batch_size=self.batch_size,
            max_new_tokens=self._max_new_tokens,
            asked=self._asked,
            spoken=self._spoken,
            stop=self._stop,
        )

    def _spoken(self, said: str, prompt: str) -> str:
        """What of a model's words are no thoughts."""
        return without_thoughts(said, opened_by(prompt)) if self._strip else said

    def _asked(self, example: Example) -> Example:
        """The example as it is asked."""
        return example


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first of some texts in it."""
    ends = [place for one in stop if (place := text.find(one)) >= 0]
    return text[: min(ends)].strip() if ends else text


def respond(
    prompts: Prompts,
    model: Any,
    examples: Sequence[Example],
    *,
    batch_size: int,
    max_new_tokens: int,
    asked: Callable[[Example], Example] = lambda example: example,
    spoken: Callable[[str, str], str] = lambda said, prompt: said,
    stop: Sequence[str] = (),
) -> tuple[list[str], NDArray[np.bool_]]:
    """Let a model answer, in batches.

    Args:
        prompts: Frames the questions.
        model: A Hugging Face VLM.
        examples: The questions.
        batch_size: How many are answered at once.
        max_new_tokens: Where an answer is cut.
        asked: Makes of an example what is asked, a batch at a time.
        spoken: What of a model's words, told with the prompt, are no thoughts.
        stop: Texts that end an answer, and do not belong to it.

    Returns:
        What the model says to each example, and which answers were cut for repeating themselves, of shape (n,).
    """
    responses, endless = [""] * len(examples), np.zeros(len(examples), dtype=bool)
    ends = prompts.ends(model)
    for members in chunks(examples, batch_size):
        questions = [asked(examples[i]) for i in members]
        for some in chunks(questions, batch_size):
            inputs = prompts.ask(model, [questions[i] for i in some]).inputs
            length = inputs["input_ids"].shape[1]
            loops = Loops(length, [*ends, prompts.padding])
            texts = [prompts.text(questions[i]) for i in some]
            stops = [Stops(length, stop, texts, prompts.decode, spoken)] if stop else []
            with torch.inference_mode():
                tokens = model.generate(
                    **inputs,
                    max_new_tokens=max_new_tokens,
                    do_sample=False,
                    num_beams=1,
                    repetition_penalty=1.0,
                    no_repeat_ngram_size=0,
                    eos_token_id=list(ends),
                    pad_token_id=prompts.padding,
                    stopping_criteria=[loops, *stops],
                )
            for place, text, row, astray in zip(some, texts, tokens[:, length:], loops.found.tolist(), strict=True):
                responses[members[place]] = cut(spoken(prompts.decode(row), text), stop)
                endless[members[place]] = astray
    return responses, endless


class Stops:
    """Ends answers at texts: a stopping criterion for `generate`.

    Args:
        asked: How many tokens of each row are the question.
        stop: The texts.
        prompts: The questions, which may open thoughts.
        decode: What tokens say.
        spoken: As for `respond`.
    """

    def __init__(
        self,
        asked: int,
        stop: Sequence[str],
        prompts: Sequence[str],
        decode: Callable[[torch.Tensor], str],
        spoken: Callable[[str, str], str],
    ) -> None:
        self._asked, self._stop, self._prompts = asked, tuple(stop), tuple(prompts)
        self._decode, self._spoken = decode, spoken
        self._tail = max(map(len, stop)) + 4  # no token says less than a part of a letter
        self._over = [False] * len(prompts)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows are over."""
        for row, said in enumerate(input_ids[:, self._asked :]):
            tail = self._decode(said[-self._tail :])
            # Trailing spaces are not decoded: what follows them tells.
            if not self._over[row] and any(one.strip() in tail for one in self._stop):
                spoken = self._spoken(self._decode(said), self._prompts[row])
                self._over[row] = any(one in spoken for one in self._stop)
        return torch.tensor(self._over, device=input_ids.device)


class Loops:
    """Ends answers that repeat themselves: a stopping criterion for `generate`.

    Args:
        asked: How many tokens of each row are the question.
        ends: Tokens that end an answer or stand behind its end.

    Attributes:
        found: Which rows were ended, of shape (batch,).
    """

    def __init__(self, asked: int, ends: Sequence[int]) -> None:
        self._asked, self._ends = asked, torch.tensor(sorted(set(ends)))
        self.found = torch.zeros(0, dtype=torch.bool)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows have gone astray."""
        if not len(self.found):
            self.found = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        said = input_ids[:, self._asked :]
        over = torch.isin(said, self._ends.to(said.device)).any(1)
        for period in range(1, LOOP + 1):
            if said.shape[1] >= period * TURNS:
                tail = said[:, -period * TURNS :].reshape(len(said), TURNS, period)
                self.found |= (tail == tail[:, :1]).flatten(1).all(1) & ~over
        return self.found
