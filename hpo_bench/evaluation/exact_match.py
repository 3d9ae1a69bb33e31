"""Exact match of the whole answer, by one teacher-forced forward pass."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation import frozen_vision
from hpo_bench.evaluation.asking.batches import chunks
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.frozen_layers import Below, LowerLayers
from hpo_bench.evaluation.frozen_vision import Looked, Prompt
from hpo_bench.evaluation.generation import Generation
from hpo_bench.evaluation.metrics import ByRule, exact_match
from hpo_bench.evaluation.preflight import Dialogue

# What torch.compile makes of a linear layer on a CPU. `torch.nn.functional.linear` reaches it for bfloat16 alone.
_linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


@contextmanager
def by_onednn(model: Any) -> Iterator[None]:
    """Let every linear layer in float32 on a CPU multiply by oneDNN for a while, for inference only.

    Sums are taken in another order than MKL's, so that results differ in their last bits.

    Args:
        model: Any module; where torch has no oneDNN, nothing is changed.
    """
    layers = [module for module in model.modules() if type(module) is nn.Linear and _suits(module)]
    try:
        for layer in layers:
            layer.forward = partial(_product, layer)  # an attribute of the instance hides the class's method
        yield
    finally:
        for layer in layers:
            del layer.forward


def _suits(layer: nn.Linear) -> bool:
    weight = layer.weight
    return _linear is not None and weight.dtype == torch.float32 and weight.device.type == "cpu"


def _product(layer: nn.Linear, input: torch.Tensor) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(input, layer.weight, layer.bias, "none", [], "")


_KEPT_BYTES = 2**30
_KEPT_SETS = 8
_FURTHER_TOKENS = 8
"""How much longer than the right one an answer may be that is only shown."""
_END = -1
"""Stands behind an answer's tokens, for any token that ends a turn."""


class ExactMatch:
    """Would greedy decoding give exactly the right answer and then stop?

    One forward pass over question and answer tells: it would if and only if, at each position of the answer, the most
    likely next token is the answer's, and behind it one that ends a turn. That is a tenth of the time of generating.
    Pictures are looked at once, as long as nobody changes the model's vision side and their embeddings take no more
    than a gigabyte; within another gigabyte texts are read once up to the first layer that merges write to.

    Args:
        prompts: Frames questions as the model was trained to read them.
        batch_size: How many examples share a forward pass.

    Attributes:
        prompts: The same.
        batch_size: The same; may be lowered when memory runs out.
    """

    def __init__(self, prompts: Prompts, *, batch_size: int = 128) -> None:
        self.prompts = prompts
        self.batch_size = batch_size
        self._looked = Looked(lambda model, some: prompts.ask_and_answer(model, some).inputs)
        self._lower = LowerLayers(most=_KEPT_BYTES)
        self._batches: OrderedDict[tuple[int, tuple[str, ...]], list[_Batch]] = OrderedDict()

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Score each example 1 if the answer would be exactly one of the right ones, else 0.

        Args:
            model: A Hugging Face VLM whose inner `model` gives last hidden states.
            examples: Any subset of a benchmark; inputs are encoded once and kept.

        Raises:
            EvaluationError: If the model's states are not finite, so that it has no most likely answer.
        """
        variants, owners = _one_answer_each(examples)
        scores = np.ones(len(variants))
        ends = torch.tensor(self.prompts.ends(model), device=model.device)
        with torch.inference_mode(), by_onednn(model):
            for batch in self._prepared(model, variants):
                likeliest = _likeliest(model, batch)
                stops = (batch.targets == _END) & torch.isin(likeliest, ends)
                wrong = (likeliest != batch.targets) & ~stops
                scores[batch.members[batch.rows[wrong].cpu().numpy()]] = 0.0
        best = np.zeros(len(examples))
        np.maximum.at(best, owners, scores)
        return Answers.of(examples, best)

    def dialogue(self, model: Any, examples: Sequence[Example]) -> Dialogue:
        """What the model says freely, and what it finds likeliest at each position of the right answers.

        The latter is taken as `evaluate` takes it, and from the whole model for each example by itself.
        """
        batched: list[list[int]] = [[] for _ in examples]
        single: list[list[int]] = [[] for _ in examples]
        with torch.inference_mode(), by_onednn(model):
            for batch in self._prepared(model, examples):
                for row, token in zip(batch.rows.tolist(), _likeliest(model, batch).tolist(), strict=True):
                    batched[batch.members[row]].append(token)
            for place, example in enumerate(examples):
                (batch,) = self._batches_of(model, [example])
                single[place] = _likeliest(model, batch).tolist()
        longest = max((len(self.prompts.answer(example)) for example in examples), default=0)
        freely = Generation(
            self.prompts, ByRule(exact_match), batch_size=self.batch_size, max_new_tokens=longest + _FURTHER_TOKENS,
            strip_thinking=False,
        )  # fmt: skip
        said, _ = freely.generated(model, examples)
        prompts = [self.prompts.text(example) for example in examples]
        return Dialogue(
            prompts, said, batched, single, self.prompts.manner, self._cut_otherwise(examples, said, batched)
        )

    def _cut_otherwise(
        self, examples: Sequence[Example], said: Sequence[str], batched: Sequence[Sequence[int]]
    ) -> tuple[str, ...]:
        """Says so where a model gives right answers in other tokens than those that teacher forcing asks for."""
        tokens = [self.prompts.answer(example) for example in examples]
        lost = [
            example.id
            for example, text, wanted, found in zip(examples, said, tokens, batched, strict=True)
            if text == self.prompts.decode(wanted) and tuple(found[: len(wanted)]) != wanted
        ]
        if not lost:
            return ()
        return (
            f"{len(lost)} of {len(examples)} right answers, such as that to {lost[0]!r}, are said in other tokens than "
            "the answer's text is cut into and count as wrong; `generate: true` under `evaluation` compares texts",
        )

    def _prepared(self, model: Any, examples: Sequence[Example]) -> "list[_Batch]":
        if not self._looked.is_of(model):
            self._batches.clear()
        self._lower.look(model)
        key = (self.batch_size, tuple(example.id for example in examples))
        if key not in self._batches:
            seen = self._looked.prompts(model, examples, self.batch_size)
            self._batches[key] = list(
                self._seen_batches(examples, seen) if seen is not None else self._batches_of(model, examples)
            )
            while len(self._batches) > _KEPT_SETS:
                self._batches.popitem(last=False)
        self._batches.move_to_end(key)
        return self._batches[key]

    def _seen_batches(self, examples: Sequence[Example], prompts: Sequence[Prompt]) -> "Iterator[_Batch]":
        """Batches of equal length, so that none carries padding."""
        # Some models give positions to texts with pictures alone.
        alike = [(len(seen.tokens), seen.positions is None) for seen in prompts]
        for (length, _), same in groupby(sorted(range(len(examples)), key=alike.__getitem__), key=alike.__getitem__):
            members = list(same)
            for start in range(0, len(members), self.batch_size):
                some = members[start : start + self.batch_size]
                text = _Seen(frozen_vision.stack([prompts[i] for i in some]), self._lower)
                yield self._batch(text, examples, some, [length] * len(some))

    def _batches_of(self, model: Any, examples: Sequence[Example]) -> "Iterator[_Batch]":
        for members in chunks(examples, self.batch_size):
            asked = self.prompts.ask_and_answer(model, [examples[i] for i in members])
            yield self._batch(_Whole(asked.inputs), examples, members, asked.lengths)

    def _batch(
        self, text: "_Seen | _Whole", examples: Sequence[Example], members: Sequence[int], lengths: Sequence[int]
    ) -> "_Batch":
        answers = [(*self.prompts.answer(examples[i]), _END) for i in members]
        rows = [row for row, answer in enumerate(answers) for _ in answer]
        # A token is told by the state before it: that of the prompt's last token tells the answer's first.
        positions = [
            length - len(answer) + offset
            for length, answer in zip(lengths, answers, strict=True)
            for offset in range(len(answer))
        ]
        targets = [token for answer in answers for token in answer]
        device = text.device
        tensors = (torch.tensor(values, device=device) for values in (rows, positions, targets))
        return _Batch(text, np.array(members), *tensors)


def _one_answer_each(examples: Sequence[Example]) -> tuple[list[Example], list[int]]:
    """Each example once for every right answer, as a model gives one answer alone; and whose variant each is."""
    variants, owners = [], []
    for place, example in enumerate(examples):
        for answer in dict.fromkeys(example.answers):
            other = answer != example.answer
            variants.append(replace(example, id=f"{example.id}\0{answer}", answer=answer) if other else example)
            owners.append(place)
    return variants, owners


def _likeliest(model: Any, batch: "_Batch") -> torch.Tensor:
    """The most likely token at each of a batch's positions."""
    states = batch.text.states(model)[batch.rows, batch.positions]
    if not states.isfinite().all():
        raise EvaluationError("the merged model's hidden states are not finite", kind="nan-logits")
    return model.get_output_embeddings()(states).argmax(-1)


@dataclass(slots=True, eq=False)
class _Seen:
    """Texts of equal length, their pictures looked at, and read up to where merges begin."""

    prompts: Prompt
    lower: LowerLayers
    below: Below | None = None

    @property
    def device(self) -> torch.device:
        return self.prompts.tokens.device

    def states(self, model: Any) -> torch.Tensor:
        """Last hidden states, of shape (batch, length, width)."""
        states, self.below = self.lower.read(model, partial(frozen_vision.read, model, self.prompts), self.below)
        return states


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """Texts with padding, their pictures looked at anew every time."""

    inputs: dict[str, torch.Tensor]

    @property
    def device(self) -> torch.device:
        return self.inputs["input_ids"].device

    def states(self, model: Any) -> torch.Tensor:
        """Likewise."""
        return model.model(**self.inputs, use_cache=False).last_hidden_state


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """A text, whom it belongs to, and which hidden states must predict which tokens."""

    text: _Seen | _Whole
    members: NDArray[np.int64]
    rows: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
