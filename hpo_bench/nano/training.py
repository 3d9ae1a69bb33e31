"""The four kinds of training that make a nano pair, each a plain loop."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from hpo_bench.nano.architectures import Architecture
from hpo_bench.nano.architectures.base import IMAGE_TOKENS
from hpo_bench.nano.pictures import Picture
from hpo_bench.nano.turns import Turn

Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all, and the current loss."""

_IGNORED = -100
_BATCH = 96


def train(
    parameters: Sequence[torch.nn.Parameter],
    loss: Callable[[], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    progress: Progress,
) -> None:
    """AdamW with warm-up over the first twentieth and a cosine to zero; gradients clipped at norm 1."""
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    warm_up = max(1, steps // 20)
    for step in range(steps):
        share = min(1.0, (step + 1) / warm_up) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * share
        optimizer.zero_grad()
        value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        progress(step + 1, steps, value.item())


def text_batches(
    tokenizer: PreTrainedTokenizerFast, draw: Callable[[], tuple[str, str]], *, answer_only: bool
) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches of texts.

    Args:
        tokenizer: Splits texts into tokens.
        draw: Gives a prompt and its answer; the prompt may be empty.
        answer_only: Whether the loss is on the answer alone.
    """
    while True:
        pairs = [draw() for _ in range(_BATCH)]
        yield encode(tokenizer, pairs, answer_only=answer_only)


def encode(
    tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]], *, answer_only: bool
) -> dict[str, torch.Tensor]:
    """Padded `input_ids`, `attention_mask` and `labels` of prompts with their answers, closed by eos."""
    prompts = tokenizer([prompt for prompt, _ in pairs])["input_ids"]
    texts = [f"{prompt} {answer} {tokenizer.eos_token}" for prompt, answer in pairs]
    whole = tokenizer(texts, padding=True, return_tensors="pt")
    labels = whole["input_ids"].masked_fill(whole["attention_mask"] == 0, _IGNORED)
    if answer_only:
        for row, prompt in enumerate(prompts):
            labels[row, : len(prompt)] = _IGNORED
    return {"input_ids": whole["input_ids"], "attention_mask": whole["attention_mask"], "labels": labels}


def train_language_model(
    model: Any,
    batches: Iterator[dict[str, torch.Tensor]],
    *,
    steps: int,
    learning_rate: float,
    progress: Progress,
) -> None:
    """Next-token prediction."""
    train(
        list(model.parameters()),
        lambda: model(**next(batches)).loss,
        steps=steps,
        learning_rate=learning_rate,
        progress=progress,
    )


def train_tower(
    architecture: Architecture,
    vlm: Any,
    pictures: dict[str, Picture],
    *,
    rng: np.random.Generator,
    steps: int,
    progress: Progress,
) -> None:
    """Train the vision tower as a classifier of words, through one linear layer that is then thrown away.

    Trained through a frozen language model instead it barely learns.
    """
    words = list(pictures)
    with torch.no_grad():
        states = architecture.patch_states(vlm, architecture.image_inputs(pictures[words[0]][:1]))
    head = torch.nn.Linear(states[0].numel(), len(words))

    def loss() -> torch.Tensor:
        labels = rng.integers(len(words), size=_BATCH)
        states = architecture.patch_states(vlm, architecture.image_inputs(_shots(words, labels, pictures, rng)))
        return functional.cross_entropy(head(states.flatten(1)), torch.from_numpy(labels))

    parameters = [*architecture.tower(vlm).parameters(), *head.parameters()]
    train(parameters, loss, steps=steps, learning_rate=2e-3, progress=progress)


def align(
    architecture: Architecture,
    vlm: Any,
    tokenizer: PreTrainedTokenizerFast,
    pictures: dict[str, Picture],
    *,
    rng: np.random.Generator,
    steps: int,
    progress: Progress,
) -> None:
    """Regress image embeddings on the frozen word embedding of what they show.

    Mean squared error in units of the embedding's variance, plus cross-entropy over all words by cosine: the first
    alone is too slow for some connectors.
    """
    words = list(pictures)
    table = vlm.get_input_embeddings().weight.detach()[tokenizer.convert_tokens_to_ids(words)].clone()
    scale = table.var()
    mean = table.mean(0)
    directions = functional.normalize(table - mean, dim=-1)

    def loss() -> torch.Tensor:
        labels = rng.integers(len(words), size=_BATCH)
        seen = architecture.image_embeddings(vlm, architecture.image_inputs(_shots(words, labels, pictures, rng)))
        targets = torch.from_numpy(labels)
        squared = (seen - table[targets].unsqueeze(1)).square().mean() / scale
        cosine = functional.normalize(seen.mean(1) - mean, dim=-1) @ directions.T
        return squared + functional.cross_entropy(20 * cosine, targets)

    parameters = [*architecture.tower(vlm).parameters(), *architecture.connector(vlm).parameters()]
    train(parameters, loss, steps=steps, learning_rate=2e-3, progress=progress)


def tune(
    architecture: Architecture,
    vlm: Any,
    tokenizer: PreTrainedTokenizerFast,
    pictures: dict[str, Picture],
    draw: Callable[[], Turn],
    *,
    rng: np.random.Generator,
    parameters: Sequence[torch.nn.Parameter],
    steps: int,
    learning_rate: float,
    progress: Progress,
) -> None:
    """Train on visual questions, with the loss on the answer alone."""

    def loss() -> torch.Tensor:
        turns = [draw() for _ in range(_BATCH)]
        text = encode(tokenizer, [(turn.in_pictures(IMAGE_TOKENS), turn.answer) for turn in turns], answer_only=True)
        shots = [_shot(thing.word, pictures, rng) for turn in turns for thing in turn.things]
        return vlm(**text, **architecture.image_inputs(np.stack(shots))).loss

    train(parameters, loss, steps=steps, learning_rate=learning_rate, progress=progress)


def _shot(word: str, pictures: dict[str, Picture], rng: np.random.Generator) -> Picture:
    return pictures[word][int(rng.integers(len(pictures[word])))]


def _shots(words: Sequence[str], labels: np.ndarray, pictures: dict[str, Picture], rng: np.random.Generator) -> Picture:
    return np.stack([_shot(words[int(label)], pictures, rng) for label in labels])
