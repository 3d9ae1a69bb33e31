"""Answers that can be believed: whole, of numbers, and those of the weights that a live model has."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Answers, Evaluator, Informed, checked
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.staleness import unchanged_weights
from hpo_bench.merging.setting import MergeSetting


def answers_of(
    model: Any, evaluator: Evaluator, examples: Sequence[Example], *, merge: MergeSetting | None = None
) -> Answers:
    """Let an evaluator score a live model, and refuse what is no score of it.

    Args:
        model: A Hugging Face VLM, or whatever else the evaluator scores.
        evaluator: Any.
        examples: What is asked.
        merge: What the model is a merge by, where that is known; evaluators that want to know are told.

    Returns:
        An answer to each example, in their order.

    Raises:
        EvaluationError: If there is no score to be had, the model's logits are no numbers, or its weights changed
            meanwhile; with what was paid for it.
    """
    if merge is not None and isinstance(evaluator, Informed):
        evaluator.inform(merge)
    answers = None
    try:
        with _finite_logits(model), unchanged_weights(model):
            answers = evaluator.evaluate(model, examples)
        return checked(answers, examples)
    except EvaluationError as error:
        # What cannot be believed has been paid for all the same.
        told = getattr(answers, "dollars", 0.0)
        charged = float(told) if isinstance(told, Real) else 0.0
        if 0 <= charged < float("inf"):
            error.dollars = max(error.dollars, charged)
        raise


@contextmanager
def _finite_logits(model: Any) -> Iterator[None]:
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
        if not logits.numel():
            return
        # Not asked for here, as that would make the device wait at every step; kept as one number. Extremes are NaN if
        # anything is, and found without a mask as large as the logits.
        found = ~torch.isfinite(torch.stack(torch.aminmax(logits))).all()
        bad[:] = [bad[0] | found] if bad else [found]

    handle = head.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()
    if bad and bool(bad[0]):
        raise EvaluationError("the merged model's logits are not finite (NaN or infinite)", kind="nan-logits")
