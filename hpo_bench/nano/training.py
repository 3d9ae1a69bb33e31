"""The four kinds of training that make a nano pair, each a plain loop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from hpo_bench.nano.architectures import Architecture
from hpo_bench.nano.keeper import Keeper
from hpo_bench.nano.pictures import Picture
from hpo_bench.nano.world import Thing, Turn, pick

Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all, and the current loss."""

_IGNORED = -100
_BATCH = 96
_LARGE_VOCABULARY = 10_000


@dataclass(frozen=True, slots=True)
class Course:
    """How long something is trained, how fast, and what is told and kept meanwhile.

    Attributes:
        steps: Optimiser steps.
        learning_rate: Its peak.
        progress: Told of every step.
        keeper: Keeps what an interrupted training goes on from.
    """

    steps: int
    learning_rate: float
    progress: Progress
    keeper: Keeper


def train(parameters: Sequence[torch.nn.Parameter], loss: Callable[[], torch.Tensor], course: Course) -> None:
    """AdamW with warm-up over the first twentieth and a cosine to zero; gradients clipped at norm 1.

    Args:
        parameters: What is trained.
        loss: Gives the loss of the next batch.
        course: How long and how fast.
    """
    steps, keeper = course.steps, course.keeper
    optimizer = torch.optim.AdamW(parameters, lr=course.learning_rate, weight_decay=0.01)
    warm_up = max(1, steps // 20)
    for step in range(keeper.restore(parameters, optimizer), steps):
        share = min(1.0, (step + 1) / warm_up) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = float(course.learning_rate * share)
        optimizer.zero_grad()
        value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        keeper.keep(parameters, optimizer, step + 1, last=step + 1 == steps)
        course.progress(step + 1, steps, value.item())


def text_batches(
    tokenizer: PreTrainedTokenizerFast,
    draw: Callable[[], tuple[str, str]],
    *,
    answer_only: bool,
    size: int | None = None,
    glue: str = " ",
) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches of texts.

    Args:
        tokenizer: Splits texts into tokens.
        draw: Gives a prompt and its answer; the prompt may be empty.
        answer_only: Whether the loss is on the answer alone.
        size: How many texts a batch has; by default 96.
        glue: What stands between prompt, answer and end.
    """
    while True:
        pairs = [draw() for _ in range(size or _BATCH)]
        yield encode(tokenizer, pairs, answer_only=answer_only, glue=glue)


def encode(
    tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]], *, answer_only: bool, glue: str = " "
) -> dict[str, torch.Tensor]:
    """Padded `input_ids`, `attention_mask` and `labels` of prompts with their answers, closed by eos."""
    # A prompt that writes the beginning itself leaves none for the tokenizer to add.
    special = not pairs[0][0].startswith(str(tokenizer.bos_token))
    prompts = tokenizer([prompt for prompt, _ in pairs], add_special_tokens=special)["input_ids"]
    texts = [f"{prompt}{glue}{answer}{glue}{tokenizer.eos_token}" for prompt, answer in pairs]
    whole = tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=special)
    labels = whole["input_ids"].masked_fill(whole["attention_mask"] == 0, _IGNORED)
    if answer_only:
        for row, prompt in enumerate(prompts):
            labels[row, : len(prompt)] = _IGNORED
    return {"input_ids": whole["input_ids"], "attention_mask": whole["attention_mask"], "labels": labels}


def train_language_model(
    model: Any,
    batches: Iterator[dict[str, torch.Tensor]],
    course: Course,
    *,
    noise: float = 0.0,
    parameters: Sequence[torch.nn.Parameter] = (),
) -> None:
    """Next-token prediction.

    Args:
        model: A causal language model.
        batches: What it reads.
        course: How long and how fast.
        noise: Uniform noise on input embeddings, in units of 1 / sqrt(length x width) (NEFTune; Jain et al., 2023).
            An expert tuned without it knows its words by heart and does not recognise an image embedding nearby.
        parameters: What is trained; all that the model has by default.
    """

    def perturb(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        reach = noise / (output.shape[1] * output.shape[2]) ** 0.5
        return output + torch.empty_like(output).uniform_(-reach, reach)

    hook = model.get_input_embeddings().register_forward_hook(perturb)
    train(parameters or list(model.parameters()), lambda: prediction_loss(model, next(batches)), course)
    hook.remove()


def prediction_loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy of the tokens that are labelled.

    Where the vocabulary is large the head is the dearest layer, and works at the labelled positions alone.
    """
    if model.get_output_embeddings().weight.shape[0] < _LARGE_VOCABULARY:
        return model(**batch).loss
    labels = batch.pop("labels")[:, 1:]
    states = model.model(**batch, use_cache=False).last_hidden_state[:, :-1]
    told = labels != _IGNORED
    return functional.cross_entropy(model.get_output_embeddings()(states[told]), labels[told])


def train_tower(
    architecture: Architecture,
    vlm: Any,
    pictures: dict[str, Picture],
    diet: Sequence[Thing],
    course: Course,
    *,
    rng: np.random.Generator,
) -> None:
    """Train the vision tower as a classifier of words, through one linear layer that is then thrown away.

    Trained through a frozen language model instead it barely learns.
    """
    words = list(pictures)
    with torch.no_grad():
        states = architecture.patch_states(vlm, architecture.image_inputs(pictures[words[0]][:1]))
    head = torch.nn.Linear(states[0].numel(), len(words))

    def loss() -> torch.Tensor:
        shown = [pick(rng, diet).word for _ in range(_BATCH)]
        states = architecture.patch_states(vlm, architecture.image_inputs(_shots(shown, pictures, rng)))
        return functional.cross_entropy(head(states.flatten(1)), torch.tensor([words.index(word) for word in shown]))

    parameters = [*architecture.tower(vlm).parameters(), *head.parameters()]
    train(parameters, loss, course)


def align(
    architecture: Architecture,
    vlm: Any,
    tokenizer: PreTrainedTokenizerFast,
    pictures: dict[str, Picture],
    diet: Sequence[Thing],
    course: Course,
    *,
    rng: np.random.Generator,
) -> None:
    """Regress image embeddings on the frozen word embedding of what they show.

    Mean squared error in units of the embedding's variance, plus, for each image token, cross-entropy over all words
    by cosine: the error alone leaves words with similar embeddings, digits above all, confused.
    """
    words = list(pictures)
    table = vlm.get_input_embeddings().weight.detach()[architecture.tokens_of(tokenizer, words)].clone()
    scale = table.var()
    mean = table.mean(0)
    directions = functional.normalize(table - mean, dim=-1)

    def loss() -> torch.Tensor:
        shown = [pick(rng, diet).word for _ in range(_BATCH)]
        seen = architecture.image_embeddings(vlm, architecture.image_inputs(_shots(shown, pictures, rng)))
        targets = torch.tensor([words.index(word) for word in shown]).unsqueeze(1).expand(seen.shape[:2])
        squared = (seen - table[targets]).square().mean() / scale
        cosine = functional.normalize(seen - mean, dim=-1) @ directions.T
        return squared + functional.cross_entropy(20 * cosine.flatten(0, 1), targets.flatten())

    parameters = [*architecture.tower(vlm).parameters(), *architecture.connector(vlm).parameters()]
    train(parameters, loss, course)


def tune(
    architecture: Architecture,
    vlm: Any,
    tokenizer: PreTrainedTokenizerFast,
    pictures: dict[str, Picture],
    draw: Callable[[], Turn],
    course: Course,
    *,
    rng: np.random.Generator,
    parameters: Sequence[torch.nn.Parameter],
    size: int | None = None,
) -> None:
    """Train on visual questions, with the loss on the answer alone."""

    def loss() -> torch.Tensor:
        turns = [draw() for _ in range(size or _BATCH)]
        asked = [(architecture.framed(turn.in_pictures(architecture.seen)), turn.answer) for turn in turns]
        text = encode(tokenizer, asked, answer_only=True, glue=architecture.glue)
        shown = [thing.word for turn in turns for thing in turn.things]
        return prediction_loss(vlm, architecture.inputs(text, _shots(shown, pictures, rng)))

    train(parameters, loss, course)


def _shots(words: Sequence[str], pictures: dict[str, Picture], rng: np.random.Generator) -> Picture:
    """One picture of each word, of shape (n, 24, 24, 3)."""
    return np.stack([pictures[word][int(rng.integers(len(pictures[word])))] for word in words])
