"""Logits that are no numbers have no most likely token, and so no score."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hpo_bench.errors import EvaluationError


@contextmanager
def finite_logits(model: Any) -> Iterator[None]:
    """Refuse, at the end of the block, what was computed from logits that are no numbers.

    The most likely of NaN logits is the first token of the vocabulary, which an evaluator would score like any other.

    Args:
        model: A Hugging Face model; every pass through its output embeddings is looked at.

    Raises:
        EvaluationError: If a logit was NaN or infinite.
    """
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    if head is None:
        yield
        return
    bad: list[torch.Tensor] = []

    def look(_module: Any, _inputs: Any, logits: torch.Tensor) -> None:
        # Not asked for here, as that would make the device wait at every step; kept as one number.
        found = ~torch.isfinite(logits).all()
        bad[:] = [bad[0] | found] if bad else [found]

    handle = head.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()
    if bad and bool(bad[0]):
        raise EvaluationError("the merged model's logits are not finite (NaN or infinite)", kind="nan-logits")
