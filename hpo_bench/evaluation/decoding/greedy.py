"""Greedy decoding of prompts whose pictures were looked at before, by rows that leave a batch when they are over.

transformers' `generate` looks at every picture anew for every merge, and goes on with rows that are over until the last
one of their batch is. A row's tokens do not depend on the others, so that they may leave.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from hpo_bench.evaluation.frozen_vision import Prompt

SHRINK = 0.75
"""A batch is cut down to the rows that go on when they are at most so many of it: copying costs as well."""

Over = Callable[[torch.Tensor, Any], torch.Tensor]
"""A stopping criterion as `generate` takes it: of what was said, of shape (batch, length), and of scores, which nobody
looks at, which rows are over, of shape (batch,)."""


def decode(
    model: Any, prompts: Sequence[Prompt], *, most: int, ends: Sequence[int], padding: int, over: Sequence[Over]
) -> torch.Tensor:
    """The likeliest next token, one after the other.

    Args:
        model: A Hugging Face VLM whose pictures `frozen_vision.look` could keep.
        prompts: A batch, of any lengths.
        most: Tokens an answer, at most.
        ends: Tokens that end an answer.
        padding: What stands behind its end.
        over: What else ends answers.

    Returns:
        Tokens said, of shape (batch, length); a row's last one is an end unless it was cut.
    """
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    embedded, mask, positions = _left_padded(model, prompts)
    said = torch.full((len(prompts), most), padding, device=embedded.device)
    stops = torch.tensor(list(ends), device=embedded.device)
    going, cache, finished = torch.arange(len(prompts), device=embedded.device), None, None
    for step in range(most):
        told = decoder(
            inputs_embeds=embedded, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        tokens = head(told.last_hidden_state[:, -1]).argmax(-1)
        cache = told.past_key_values
        said[going, step] = tokens if finished is None else torch.where(finished[going], padding, tokens)
        so_far = said[:, : step + 1]
        finished = torch.isin(so_far, stops).any(1)
        for one in over:
            finished = finished | one(so_far, None)
        left = torch.flatten(torch.nonzero(~finished[going]))
        if not len(left) or step + 1 == most:
            return so_far
        positions = positions[..., -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        if len(left) <= SHRINK * len(going) and _can_shrink(cache):
            cache.batch_select_indices(left)
            going, tokens, mask, positions = going[left], tokens[left], mask[left], positions[..., left, :]
        embedded = model.get_input_embeddings()(tokens[:, None])
    return said


def _can_shrink(cache: Any) -> bool:
    """Whether rows can be taken out of a cache; a layer of linear attention keeps a state that has no such way."""
    return all(hasattr(layer, "batch_select_indices") for layer in cache.layers)


def _left_padded(model: Any, prompts: Sequence[Prompt]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings, mask and positions of a batch; what stands before a prompt is masked."""
    longest = max(len(prompt.tokens) for prompt in prompts)
    table = model.get_input_embeddings()
    rows, masks, places = [], [], []
    for prompt in prompts:
        row = table(prompt.tokens)
        row[prompt.pictured] = prompt.images
        before = longest - len(row)
        rows.append(torch.nn.functional.pad(row, (0, 0, before, 0)))
        masks.append(torch.nn.functional.pad(torch.ones_like(prompt.tokens), (before, 0)))
        own = torch.arange(len(row), device=row.device) if prompt.positions is None else prompt.positions
        places.append(torch.nn.functional.pad(own, (before, 0)))
    return torch.stack(rows), torch.stack(masks), torch.stack(places, dim=-2)
