"""Answers by greedy decoding, in batches, cut where they have gone astray."""

import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Outcome
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.scoring import Scores

IMAGE = "<image>"
LOOP, TURNS = 6, 5
"""A response is endless when its last tokens are one block of at most so many tokens, so many times over."""
ENDLESS_SHARE = 0.5
"""A merge of which more answers are endless is broken, and its score would say nothing."""


class Generation:
    """Lets a model answer and scores what it says.

    Args:
        processor: The VLM's Hugging Face processor.
        scores: What scores responses.
        batch_size: How many examples are answered at once.
        max_new_tokens: Where an answer is cut.
        chat_template: Whether questions go through the processor's chat template; where it has none, they are asked as
            they are.

    Attributes:
        batch_size: The same; may be lowered when memory runs out.
    """

    def __init__(
        self,
        processor: Any,
        scores: Scores,
        *,
        batch_size: int = 16,
        max_new_tokens: int = 64,
        chat_template: bool = True,
    ) -> None:
        self.batch_size = batch_size
        self._processor, self._scores = processor, scores
        self._max_new_tokens = max_new_tokens
        self._chat = chat_template and bool(getattr(processor, "chat_template", None))

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Outcome:
        """Answer and score each example.

        Raises:
            EvaluationError: If most answers are endless, or responses cannot be scored.
        """
        begin = time.perf_counter()
        responses, endless = [""] * len(examples), np.zeros(len(examples), dtype=bool)
        for members in self._chunks(examples):
            for member, (response, astray) in zip(
                members, self._answer(model, [examples[i] for i in members]), strict=True
            ):
                responses[member], endless[member] = response, astray
        if len(examples) and endless.mean() > ENDLESS_SHARE:
            sample = responses[int(endless.argmax())][-60:]
            raise EvaluationError(
                f"{int(endless.sum())} of {len(examples)} answers repeat themselves without end, such as ...{sample!r}",
                kind="endless",
            )
        scores, dollars = self._scores(examples, responses)
        return Outcome(tuple(examples), scores, time.perf_counter() - begin, tuple(responses), dollars)

    def _chunks(self, examples: Sequence[Example]) -> Iterator[list[int]]:
        # Sorted by length, so that a batch carries little padding.
        order = sorted(range(len(examples)), key=lambda i: (len(examples[i].images), len(examples[i].question)))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _answer(self, model: Any, examples: Sequence[Example]) -> list[tuple[str, bool]]:
        images = [[Image.open(BytesIO(data)).convert("RGB") for data in example.images] for example in examples]
        inputs = self._processor(
            text=[self._prompt(example) for example in examples],
            images=images if any(images) else None,
            padding=True,
            padding_side="left",  # decoder-only models continue from the last column
            return_tensors="pt",
        ).to(model.device)
        asked = inputs["input_ids"].shape[1]
        loops = Loops(asked, self._ends(model))
        with torch.inference_mode():
            tokens = model.generate(
                **inputs, max_new_tokens=self._max_new_tokens, do_sample=False, num_beams=1, stopping_criteria=[loops]
            )
        said = self._processor.tokenizer.batch_decode(tokens[:, asked:], skip_special_tokens=True)
        return [(text.strip(), bool(astray)) for text, astray in zip(said, loops.found.tolist(), strict=True)]

    def _ends(self, model: Any) -> list[int]:
        eos, tokenizer = model.generation_config.eos_token_id, self._processor.tokenizer
        ends = [*(eos if isinstance(eos, list) else [eos]), tokenizer.eos_token_id, tokenizer.pad_token_id]
        return [token for token in ends if token is not None]

    def _prompt(self, example: Example) -> str:
        if not self._chat:
            return example.question
        parts: list[dict[str, str]] = []
        for place, text in enumerate(example.question.split(IMAGE)):
            parts += [{"type": "image"}] if place else []
            parts += [{"type": "text", "text": text.strip()}] if text.strip() else []
        messages = [{"role": "user", "content": parts}]
        return self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


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
