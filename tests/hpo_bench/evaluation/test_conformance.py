"""The suite for evaluators finds the faults that it looks for, and kinds are found by name and address."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.base import Answers, checked
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.python_function import PythonFunction
from hpo_bench.evaluation.registry import EVALUATORS, open_evaluator
from hpo_bench.testing import ConformanceError, check_evaluator
from optimizers.errors import InvalidSettingError

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


class Words(Sound):
    def evaluate(self, model, examples):
        return Answers.of(examples, ["1" for _ in examples])


class Numbers(Sound):
    def evaluate(self, model, examples):
        return [0.5 for _ in examples]


class Blind(Sound):
    def evaluate(self, examples):
        return Answers.of(examples, np.zeros(len(examples)))


class Falling(Sound):
    def evaluate(self, model, examples):
        return {}["scores"]


class NoQuestions:
    def evaluate(self, model, examples):
        return Answers.of(examples, np.zeros(len(examples)))


class Zeroing(Sound):
    def evaluate(self, model, examples):
        with torch.no_grad():
            model.weight.zero_()
        return super().evaluate(model, examples)


class Shifting(Sound):
    def evaluate(self, model, examples):
        with torch.no_grad():
            model.bias[-1] += 1
        return super().evaluate(model, examples)


class Once(Sound):
    def examples(self, split):
        return iter(super().examples(split))


class Twice(Sound):
    def examples(self, split):
        return [*super().examples(split), *super().examples(split)[:1]]


class Worded(Sound):
    batch_size = "16"


class Uninformed(Sound):
    def inform(self):
        pass


class Lists(Sound):
    def evaluate(self, model, examples):
        return Answers.of(examples, [float(one.answer) / 4 for one in examples])


@pytest.mark.parametrize(
    ("opened", "message"),
    [
        (Words(), r"scores are \['1', .* which are no numbers"),
        (Numbers(), "the evaluator returned list, not Answers"),
        (
            Blind(),
            r"validation: evaluate raised TypeError: .*evaluate\(\) takes 2 positional arguments but 3 were given",
        ),
        (Falling(), r"validation: evaluate raised KeyError: 'scores' \(test_conformance.py, line \d+\)"),
        (NoQuestions(), "returns a NoQuestions, which has no method examples"),
        (None, "returns None, which has no method examples and no method evaluate"),
        (Sound, "returns the class Sound, and not one of its objects"),
        (Zeroing(), "changed the merged model's weights"),
        (Shifting(), r"changed the merged model's weights \(bias\)"),
        (Once(), r"the validation examples are a \w+; return a list or a tuple"),
        (Twice(), "2 validation examples have the id '.*'; give each one of its own"),
        (Worded(), "batch_size must be an integer of at least 1, not '16'"),
        (Uninformed(), "inform is told a setting and nothing else: too many positional arguments"),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_what_a_stranger_gets_wrong_is_said_in_words(opened, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_evaluator(opened, torch.nn.Linear(3, 3))


@pytest.mark.parametrize("at_most", [0, 1, 2.0])
def test_a_check_of_no_example_is_none(at_most: int) -> None:
    with pytest.raises(InvalidSettingError, match="at_most must be an integer of at least 2"):
        check_evaluator(Sound(), at_most=at_most)


def test_scores_may_be_a_list() -> None:
    check_evaluator(Lists())
    examples = SIDES["test"]
    assert checked(Lists().evaluate(None, examples), examples).score == 0.375


@pytest.mark.parametrize("dtype", [str, object])
def test_texts_may_be_arrays(dtype: type) -> None:
    """As columns of a table are."""
    examples = SIDES["test"]
    ids, categories = (np.array([getattr(one, name) for one in examples], dtype) for name in ("id", "category"))
    found = checked(Answers(ids, categories, np.zeros(len(examples)), ids), examples)  # type: ignore[arg-type]
    assert found.responses == found.ids == tuple(one.id for one in examples)
    function = PythonFunction(lambda *_: {"scores": np.zeros(len(examples)), "responses": ids}, None, ())
    assert checked(function.evaluate(None, examples), examples).responses == found.ids


def open_with_two(pair, loaded):
    return Sound()


def open_nothing(pair, loaded, options):
    return None


def open_falling(pair, loaded, options):
    return options["model"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "open_with_two",
            "cannot be called with a pair, the same in memory, and options .*: let it take all three, as",
        ),
        ("Blank", "Blank cannot be called with .*: name a function that opens one, as"),
        ("open_nothing", "open_nothing returns None, which has no method examples and no method evaluate"),
        ("open_falling", r"open_falling raised KeyError: 'model' \(test_conformance.py, line \d+\); mend it"),
    ],
)
def test_what_opens_no_evaluator_is_refused_with_the_reason(tmp_path, name: str, message: str) -> None:
    told = {"kind": f"{__name__}:{name}"}
    pair = SimpleNamespace(described_in=tmp_path, folder=tmp_path, vlm=tmp_path, evaluation=told)
    with pytest.raises(UsageError, match=message):
        open_evaluator(pair, SimpleNamespace(processor=None, vlm=None))  # pyright: ignore[reportArgumentType]


class Blank:
    """A class, where a function is due."""


def test_built_in_kinds_stand_where_the_registry_says() -> None:
    assert [kind for kind in EVALUATORS.built_in if not callable(EVALUATORS.get(kind))] == []
