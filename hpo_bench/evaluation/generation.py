"""Answers by greedy decoding, in batches, cut where they have gone astray."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.asking.batches import chunks
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.asking.thoughts import opened_by, without_thoughts
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.decoding.endings import Loops, Stops, before_end, cut
from hpo_bench.evaluation.decoding.greedy import decode
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.frozen_vision import Looked, Prompt
from hpo_bench.evaluation.metrics import Scores
from hpo_bench.evaluation.preflight import Dialogue

ENDLESS_SHARE = 0.5
"""A merge of which more answers are endless is broken, and its score would say nothing."""
_FURTHER = (
    "suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "sequence_bias", "forced_bos_token_id",
    "forced_eos_token_id", "guidance_scale", "min_length", "min_new_tokens", "exponential_decay_length_penalty",
)  # fmt: skip
"""What a generation configuration may say that makes another token than the likeliest the next one."""


class Generation:
    """Lets a model answer and scores what it says.

    Decoding is plainly greedy: what a generation configuration says of sampling and of penalties for repetition is left
    aside, so that the answer is the one that teacher forcing asks for.

    Pictures are looked at once, as long as nobody changes the model's vision side and their embeddings take no more
    than a gigabyte, and rows leave their batch when they are over; where a model's first batch is then answered
    otherwise than by transformers' `generate`, that answers all.

    Args:
        prompts: Frames questions as the model was trained to read them.
        scores: What scores responses.
        batch_size: How many examples are answered at once.
        max_new_tokens: Where an answer is cut, thoughts and all.
        stop: Texts that end an answer, and do not belong to it; in thoughts they end nothing.
        strip_thinking: Whether thoughts between tags such as `<think>` are left out of what is scored.
        asked: Makes of an example what is asked, a batch at a time, as pictures may take much memory.

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
        asked: Callable[[Any], Example] = lambda example: example,
    ) -> None:
        self.prompts, self.batch_size = prompts, batch_size
        self._scores, self._max_new_tokens = scores, max_new_tokens
        self._stop, self._strip, self._asked = tuple(stop), strip_thinking, asked
        self._looked = Looked(self._inputs)
        self._decodes: bool | None = None
        self._texts: dict[str, str] = {}

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

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What the model says in batches, and to each question by itself."""
        said, _ = self.respond(model, examples)
        single = [self.respond(model, [example])[0][0] for example in examples]
        prompts = [self._text(example) for example in examples]
        notes = ()
        if self._strip and (empty := sum(not one for one in said)):
            notes = (
                f"{empty} of {len(said)} answers are empty; where a model ends within its thoughts, give it more room "
                f"by `max_new_tokens` ({self._max_new_tokens}) under `evaluation`, or try `enable_thinking: false`",
            )
        return Dialogue(prompts, said, said, single, self.prompts.manner, notes)

    def respond(self, model: Any, examples: Sequence[Example]) -> tuple[list[str], NDArray[np.bool_]]:
        """What the model says to each example, and which answers were cut for repeating themselves, of shape (n,)."""
        seen = self._seen(model, examples) if hasattr(model, "get_decoder") else None
        return self.generated(model, examples) if seen is None else self._decoded(model, examples, seen)

    def _seen(self, model: Any, examples: Sequence[Example]) -> list[Prompt] | None:
        """What the model sees of examples; None where transformers must answer."""
        if not self._looked.is_of(model):
            self._decodes = None
        # What else than the likeliest token may be the next one is transformers' to say.
        further = any(getattr(model.generation_config, name, None) for name in _FURTHER)
        if further or self._decodes is False or not len(examples):
            return None
        with torch.inference_mode():
            seen = self._looked.prompts(model, examples, self.batch_size)
        if seen is not None and self._decodes is None:
            self._decodes = self._decodes_alike(model, examples, seen)
        return seen if self._decodes else None

    def generated(
        self, model: Any, examples: Sequence[Example], *, batch_size: int | None = None
    ) -> tuple[list[str], NDArray[np.bool_]]:
        """The same as `respond` by transformers' own way, and in batches of another size if one is given."""
        size = batch_size or self.batch_size
        responses, endless = [""] * len(examples), np.zeros(len(examples), dtype=bool)
        ends = self.prompts.ends(model)
        for members in chunks(examples, size):
            questions = [self._asked(examples[i]) for i in members]
            for some in chunks(questions, size):
                inputs = self.prompts.ask(model, [questions[i] for i in some]).inputs
                length = inputs["input_ids"].shape[1]
                texts = [self.prompts.text(questions[i]) for i in some]
                loops, endings = self._endings(length, texts, ends)
                with torch.inference_mode():
                    tokens = model.generate(
                        **inputs,
                        max_new_tokens=self._max_new_tokens,
                        do_sample=False,
                        num_beams=1,
                        repetition_penalty=1.0,
                        no_repeat_ngram_size=0,
                        eos_token_id=list(ends),
                        encoder_repetition_penalty=1.0,
                        encoder_no_repeat_ngram_size=0,
                        pad_token_id=ends[0],
                        return_dict_in_generate=False,
                        stopping_criteria=endings,
                    )
                for place, text, row, astray in zip(some, texts, tokens[:, length:], loops.found.tolist(), strict=True):
                    responses[members[place]], endless[members[place]] = self._said(row, text, ends), astray
        return responses, endless

    def _decoded(
        self, model: Any, examples: Sequence[Example], seen: Sequence[Prompt]
    ) -> tuple[list[str], NDArray[np.bool_]]:
        """By our own, of what was seen of pictures."""
        responses, endless = [""] * len(examples), np.zeros(len(examples), dtype=bool)
        ends = self.prompts.ends(model)
        # Some models give positions to texts with pictures alone.
        order = sorted(range(len(seen)), key=lambda i: (seen[i].positions is None, len(seen[i].tokens), i))
        for _, alike in groupby(order, key=lambda i: seen[i].positions is None):
            places = list(alike)
            for start in range(0, len(places), self.batch_size):
                some = places[start : start + self.batch_size]
                texts = [self._text(examples[i]) for i in some]
                loops, endings = self._endings(0, texts, ends)
                with torch.inference_mode():
                    said = decode(
                        model, [seen[i] for i in some], most=self._max_new_tokens, ends=ends,
                        padding=ends[0], over=endings,
                    )  # fmt: skip
                for place, text, row, astray in zip(some, texts, said, loops.found.tolist(), strict=True):
                    responses[place], endless[place] = self._said(row, text, ends), astray
        return responses, endless

    def _endings(self, length: int, prompts: Sequence[str], ends: Sequence[int]) -> tuple[Loops, list[Loops | Stops]]:
        """What ends answers behind so many tokens besides the tokens that do: first what finds those gone astray."""
        loops = Loops(length, ends, most=self._max_new_tokens)
        stops = [Stops(length, self._stop, prompts, self.prompts.decode, self._spoken)] if self._stop else []
        return loops, [loops, *stops]

    def _said(self, tokens: torch.Tensor, prompt: str, ends: Sequence[int]) -> str:
        """What an answer's tokens say, as far as it counts."""
        return cut(self._spoken(self.prompts.decode(before_end(tokens, ends)), prompt), self._stop)

    def _decodes_alike(self, model: Any, examples: Sequence[Example], seen: Sequence[Prompt]) -> bool:
        """Whether our own way answers a batch as transformers' does; in half precision rounding may change a few."""
        places = next(chunks(examples, self.batch_size))
        some = [examples[i] for i in places]
        try:
            ours, _ = self._decoded(model, some, [seen[i] for i in places])
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            return False  # a decoder or a cache of another kind
        theirs, _ = self.generated(model, some)
        same = sum(one == other for one, other in zip(ours, theirs, strict=True))
        exact = getattr(model, "dtype", torch.float32) in (torch.float32, torch.float64)
        return same == len(some) if exact else same >= len(some) / 2

    def _inputs(self, model: Any, examples: Sequence[Example]) -> Mapping[str, torch.Tensor]:
        return self.prompts.ask(model, [self._asked(example) for example in examples], side="right").inputs

    def _spoken(self, said: str, prompt: str) -> str:
        """What of a model's words are no thoughts."""
        return without_thoughts(said, opened_by(prompt)) if self._strip else said

    def _text(self, example: Example) -> str:
        """The prompt, kept, as an example may have to be opened to be asked."""
        if example.id not in self._texts:
            self._texts[example.id] = self.prompts.text(self._asked(example))
        return self._texts[example.id]
