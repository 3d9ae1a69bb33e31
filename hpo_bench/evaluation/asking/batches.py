"""Which examples share a batch, and how their rows grow."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import torch

from hpo_bench.evaluation.examples import Example


def chunks(examples: Sequence[Example], size: int) -> Iterator[list[int]]:
    """Places of examples that share a batch: equally many pictures, as processors ask, and of about the same length."""
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].images), len(examples[i].question)))
    for _, alike in groupby(order, key=lambda i: len(examples[i].images)):
        members = list(alike)
        for start in range(0, len(members), size):
            yield members[start : start + size]


def extended(row: Mapping[str, torch.Tensor], answer: Sequence[int]) -> dict[str, torch.Tensor]:
    """A prompt with its answer: words that are attended to, and of no kind but text."""
    longer = {}
    for name, value in row.items():
        if name == "input_ids":
            tail = value.new_tensor(answer)
        elif value.dim() > 1:
            tail = value[-1:].expand(len(answer), *value.shape[1:])
        else:
            tail = value.new_full((len(answer),), 1 if name == "attention_mask" else 0)
        longer[name] = torch.cat([value, tail])
    return longer
