"""The suite for evaluators finds the faults that it looks for, and kinds are found by name and address."""

import itertools

import numpy as np
import pytest

from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.registry import EVALUATORS
from hpo_bench.testing import ConformanceError, check_evaluator

SIDES = {
    split: [Example(f"{split}-{i}", "any", f"question {i}", (), str(i)) for i in range(4)]
    for split in ("validation", "test")
}


class Sound:
    def examples(self, split):
        return SIDES[split]

    def evaluate(self, model, examples):
        return Answers.of(examples, np.array([float(one.answer) / 4 for one in examples]))


class Overlapping(Sound):
    def examples(self, split):
        return SIDES["test"]


class Beyond(Sound):
    def evaluate(self, model, examples):
        return Answers.of(examples, np.full(len(examples), 1.5))


class Moody(Sound):
    turns = itertools.count(1)

    def evaluate(self, model, examples):
        return Answers.of(examples, np.full(len(examples), 1 / next(self.turns)))


class Positional(Sound):
    def evaluate(self, model, examples):
        return Answers.of(examples, np.linspace(0, 1, len(examples)))


def test_a_sound_evaluator_conforms() -> None:
    check_evaluator(Sound())


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (Overlapping, "on both sides of the split"),
        (Beyond, "no numbers"),
        (Moody, "scored again"),
        (Positional, "order or the company"),
    ],
)
def test_a_fault_is_named(mutant: type, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_evaluator(mutant())


def test_built_in_kinds_stand_where_the_registry_says() -> None:
    assert [kind for kind in EVALUATORS.built_in if not callable(EVALUATORS.get(kind))] == []
