"""Exact match of the whole answer, by one teacher-forced forward pass."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation import frozen_vision
from hpo_bench.evaluation.base import Outcome
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.frozen_vision import Eyes, Prompt
from hpo_bench.evaluation.products import by_onednn

_KEPT_BYTES = 2**30
_KEPT_SETS = 8


class ExactMatch:
    """Would greedy decoding give exactly the right answer and then stop?

    One forward pass over question and answer tells: it would if and only if, at each position of the answer, the most
    likely next token is the answer's. That is a tenth of the time of generating. Pictures are looked at once, as long
    as nobody changes the model's vision side and their embeddings take no more than a gigabyte.

    Args:
        processor: The VLM's Hugging Face processor; its tokenizer frames a text as the model was trained on.
        batch_size: How many examples share a forward pass.

    Attributes:
        batch_size: The same; may be lowered when memory runs out.
    """

    def __init__(self, processor: Any, *, batch_size: int = 128) -> None:
        self.batch_size = batch_size
        self._processor = processor
        self._eyes: Eyes | None = None
        self._seen: dict[str, Prompt] = {}
        self._may_keep = True
        self._batches: OrderedDict[tuple[int, tuple[str, ...]], list[_Batch]] = OrderedDict()

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Outcome:
        """Score each example 1 if the answer would be exactly right, else 0.

        Args:
            model: A Hugging Face VLM whose inner `model` gives last hidden states.
            examples: Any subset of a benchmark; inputs are encoded once and kept.

        Raises:
            EvaluationError: If the model's states are not finite, so that it has no most likely answer.
        """
        begin = time.perf_counter()
        scores = np.zeros(len(examples))
        with torch.inference_mode(), by_onednn(model):
            for batch in self._prepared(model, examples):
                states = batch.text.states(model)[batch.rows, batch.positions]
                if not states.isfinite().all():
                    raise EvaluationError("the merged model's hidden states are not finite", kind="nan-logits")
                wrong = model.get_output_embeddings()(states).argmax(-1) != batch.targets
                scores[batch.members] = 1.0
                scores[batch.members[batch.rows[wrong].cpu().numpy()]] = 0.0
        return Outcome(tuple(examples), scores, time.perf_counter() - begin)

    def _prepared(self, model: Any, examples: Sequence[Example]) -> "list[_Batch]":
        if self._eyes is None or not self._eyes.are_those_of(model):
            self._eyes, self._may_keep = Eyes(model), True
            self._seen.clear()
            self._batches.clear()
        key = (self.batch_size, tuple(example.id for example in examples))
        if key not in self._batches:
            self._look(model, [example for example in examples if example.id not in self._seen])
            self._batches[key] = list(
                self._seen_batches(examples) if self._may_keep else self._batches_of(model, examples)
            )
            while len(self._batches) > _KEPT_SETS:
                self._batches.popitem(last=False)
        self._batches.move_to_end(key)
        return self._batches[key]

    def _look(self, model: Any, examples: Sequence[Example]) -> None:
        """Keep what the vision side makes of the examples, unless that cannot be had or is too much."""
        for chunk in self._chunks(examples):
            prompts = frozen_vision.look(model, self._encode(model, chunk)) if self._may_keep else None
            if prompts is None:
                self._may_keep = False
                self._seen.clear()
                return
            self._seen |= {example.id: prompt for example, prompt in zip(chunk, prompts, strict=True)}
            self._may_keep = sum(prompt.nbytes for prompt in self._seen.values()) <= _KEPT_BYTES

    def _seen_batches(self, examples: Sequence[Example]) -> "Iterator[_Batch]":
        """Batches of equal length, so that none carries padding."""
        lengths = {i: len(self._seen[example.id].tokens) for i, example in enumerate(examples)}
        for length, same in groupby(sorted(lengths, key=lengths.__getitem__), key=lengths.__getitem__):
            members = list(same)
            for start in range(0, len(members), self.batch_size):
                some = members[start : start + self.batch_size]
                text = _Seen(frozen_vision.stack([self._seen[examples[i].id] for i in some]))
                yield self._batch(text, examples, some, [length] * len(some))

    def _batches_of(self, model: Any, examples: Sequence[Example]) -> "Iterator[_Batch]":
        members = {example.id: i for i, example in enumerate(examples)}
        for chunk in self._chunks(examples):
            inputs = self._encode(model, chunk)
            lengths = inputs["attention_mask"].sum(1).tolist()
            yield self._batch(_Whole(inputs), examples, [members[example.id] for example in chunk], lengths)

    def _chunks(self, examples: Sequence[Example]) -> Iterator[list[Example]]:
        # Sorted by length, so that a batch carries little padding.
        ordered = sorted(examples, key=lambda example: (len(example.images), len(example.question)))
        for start in range(0, len(ordered), self.batch_size):
            yield ordered[start : start + self.batch_size]

    def _encode(self, model: Any, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        return self._processor(
            text=[f"{example.question} {self._answer(example)}" for example in examples],
            images=[[Image.open(BytesIO(png)) for png in example.images] for example in examples],
            padding=True,
            return_tensors="pt",
        ).to(model.device)

    def _answer(self, example: Example) -> str:
        return f"{example.answer} {self._processor.tokenizer.eos_token}"

    def _batch(
        self, text: "_Text", examples: Sequence[Example], members: Sequence[int], lengths: Sequence[int]
    ) -> "_Batch":
        answers = [self._answer(examples[i]) for i in members]
        tokens = self._processor.tokenizer(answers, add_special_tokens=False)["input_ids"]
        rows = [row for row, answer in enumerate(tokens) for _ in answer]
        positions = [
            length - len(answer) - 1 + offset
            for length, answer in zip(lengths, tokens, strict=True)
            for offset in range(len(answer))
        ]
        targets = [token for answer in tokens for token in answer]
        device = text.device
        tensors = (torch.tensor(values, device=device) for values in (rows, positions, targets))
        return _Batch(text, np.array(members), *tensors)


class _Text(Protocol):
    """Questions and answers, ready for a model."""

    @property
    def device(self) -> torch.device: ...

    def states(self, model: Any) -> torch.Tensor:
        """Last hidden states, of shape (batch, length, width)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Texts of equal length, their pictures looked at."""

    prompts: Prompt

    @property
    def device(self) -> torch.device:
        return self.prompts.tokens.device

    def states(self, model: Any) -> torch.Tensor:
        return frozen_vision.read(model, self.prompts)


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """Texts with padding, their pictures looked at anew every time."""

    inputs: dict[str, torch.Tensor]

    @property
    def device(self) -> torch.device:
        return self.inputs["input_ids"].device

    def states(self, model: Any) -> torch.Tensor:
        return model.model(**self.inputs).last_hidden_state


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """A text, whom it belongs to, and which hidden states must predict which tokens."""

    text: _Text
    members: NDArray[np.int64]
    rows: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
