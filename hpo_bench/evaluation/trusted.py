"""Answers that can be believed: whole, of numbers, and those of the weights that a live model has."""

from collections.abc import Sequence
from typing import Any

from hpo_bench.evaluation.base import Answers, Evaluator, Informed, checked
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.finite import finite_logits
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
            meanwhile.
    """
    if merge is not None and isinstance(evaluator, Informed):
        evaluator.inform(merge)
    with finite_logits(model), unchanged_weights(model):
        answers = evaluator.evaluate(model, examples)
    return checked(answers, examples)
