"""What any evaluator must do to be one."""

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Batched, Evaluator, Informed, checked, lacks
from hpo_bench.evaluation.examples import SPLITS, Example, Split
from hpo_bench.evaluation.staleness import unchanged_weights
from hpo_bench.merging.setting import BASE
from optimizers.conformance import ConformanceError
from optimizers.errors import InvalidSettingError, traced
from optimizers.options import integer


def check_evaluator(evaluator: Evaluator, model: Any = None, *, at_most: int = 8) -> None:
    """Check an evaluator against what recording and tuning rely on.

    Args:
        evaluator: As opened for a pair.
        model: What it scores; None for one that looks at no model.
        at_most: How many examples of each split are scored; at least 2.

    Raises:
        ConformanceError: If examples are missing, on both sides of the split or others when asked again; if scores are
            no numbers from 0 to 1, one an example; if the same model scores otherwise the second time, or an example
            otherwise in another order or company; if a method is missing or raises anything, or the model is changed;
            if it has a `batch_size` that is none, or an `inform` that cannot be told of a setting.
        InvalidSettingError: If `at_most` is no such number.
    """
    at_most = integer("at_most", at_most, least=2)
    if lacking := lacks(evaluator):
        raise ConformanceError(f"what opened it {lacking}")
    _check_extras(evaluator)
    with _blamed(evaluator, "examples"):
        sides = _sides(evaluator)
    for split, examples in sides.items():
        some = examples[:at_most]
        with _blamed(evaluator, f"{split}: evaluate"), unchanged_weights(model, whole=True):
            first = checked(evaluator.evaluate(model, some), some).scores
            again = checked(evaluator.evaluate(model, some), some).scores
            other = checked(evaluator.evaluate(model, some[:0:-1]), some[:0:-1]).scores
        if not np.array_equal(first, again):
            raise ConformanceError(f"{split}: scored again, the same model has other scores")
        if not np.array_equal(first[:0:-1], other):
            raise ConformanceError(f"{split}: an example's score depends on the order or the company it is asked in")


def _sides(evaluator: Evaluator) -> dict[Split, list[Example]]:
    """The examples of each side, if they are such as can be scored."""
    sides: dict[Split, list[Example]] = {}
    for split in SPLITS:
        if not isinstance(given := evaluator.examples(split), Sequence):
            raise ConformanceError(f"the {split} examples are a {type(given).__name__}; return a list or a tuple")
        sides[split] = list(given)
    for split, examples in sides.items():
        if len(examples) < 2:
            raise ConformanceError(f"{len(examples)} {split} examples: a score needs more")
        if [one.id for one in evaluator.examples(split)] != [one.id for one in examples]:
            raise ConformanceError(f"asked again, the {split} examples are others, or in another order")
    for split, examples in sides.items():
        id_, count = Counter(one.id for one in examples).most_common(1)[0]
        if count > 1:
            raise ConformanceError(f"{count} {split} examples have the id {id_!r}; give each one of its own")
    if both := {one.id for one in sides["validation"]} & {one.id for one in sides["test"]}:
        raise ConformanceError(f"example {min(both)!r} is on both sides of the split")
    return sides


def _check_extras(evaluator: Evaluator) -> None:
    """What an evaluator may have besides, if it has it: whoever merges finds out in the middle of a trial."""
    if isinstance(evaluator, Batched):
        try:
            integer("batch_size", evaluator.batch_size, least=1)
        except InvalidSettingError as error:
            raise ConformanceError(str(error)) from error
    if isinstance(evaluator, Informed):
        try:
            inspect.signature(evaluator.inform).bind(BASE)
        except TypeError as error:
            raise ConformanceError(f"inform is told a setting and nothing else: {error}") from error


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
