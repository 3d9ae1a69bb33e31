"""What any evaluator must do to be one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Evaluator, checked, lacks
from hpo_bench.evaluation.examples import SPLITS, Example, Split
from hpo_bench.evaluation.staleness import unchanged_weights
from optimizers.conformance import ConformanceError
from optimizers.errors import traced


def check_evaluator(evaluator: Evaluator, model: Any = None, *, at_most: int = 8) -> None:
    """Check an evaluator against what recording and tuning rely on.

    Args:
        evaluator: As opened for a pair.
        model: What it scores; None for one that looks at no model.
        at_most: How many examples of each split are scored; at least 2.

    Raises:
        ConformanceError: If examples are missing, on both sides of the split or others when asked again; if scores are
            no numbers from 0 to 1, one an example; if the same model scores otherwise the second time, or an example
            otherwise in another order or company; if a method is missing or raises anything, or the model is changed.
    """
    if lacking := lacks(evaluator):
        raise ConformanceError(f"what opened it {lacking}")
    with _blamed(evaluator, "examples"):
        sides = _sides(evaluator)
    for split, examples in sides.items():
        some = examples[:at_most]
        with _blamed(evaluator, f"{split}: evaluate"), unchanged_weights(model):
            first = checked(evaluator.evaluate(model, some), some).scores
            again = checked(evaluator.evaluate(model, some), some).scores
            other = checked(evaluator.evaluate(model, some[:0:-1]), some[:0:-1]).scores
        if not np.array_equal(first, again):
            raise ConformanceError(f"{split}: scored again, the same model has other scores")
        if not np.array_equal(first[:0:-1], other):
            raise ConformanceError(f"{split}: an example's score depends on the order or the company it is asked in")


def _sides(evaluator: Evaluator) -> dict[Split, list[Example]]:
    """The examples of each side, if they are such as can be scored."""
    sides: dict[Split, list[Example]] = {split: list(evaluator.examples(split)) for split in SPLITS}
    for split, examples in sides.items():
        if len(examples) < 2:
            raise ConformanceError(f"{len(examples)} {split} examples: a score needs more")
        if [one.id for one in evaluator.examples(split)] != [one.id for one in examples]:
            raise ConformanceError(f"asked again, the {split} examples are others, or in another order")
    if both := {one.id for one in sides["validation"]} & {one.id for one in sides["test"]}:
        raise ConformanceError(f"example {min(both)!r} is on both sides of the split")
    return sides


@contextmanager
def _blamed(evaluator: Evaluator, what: str) -> Iterator[None]:
    """What an evaluator refuses or raises is a fault of its own."""
    try:
        yield
    except ConformanceError:
        raise
    except EvaluationError as error:
        raise ConformanceError(f"{what}: {error}") from error
    except Exception as error:
        raise ConformanceError(f"{what} raised {traced(error, type(evaluator))}") from error
