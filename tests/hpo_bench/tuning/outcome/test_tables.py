"""What became of the examples, beside each other."""

import numpy as np

from hpo_bench.evaluation.base import Answers
from hpo_bench.tuning.outcome.tables import sides, spoken


def answers(scores: list[float], responses: tuple[str, ...] = ()) -> Answers:
    ids = tuple("abcd"[: len(scores)])
    return Answers(ids, ids, np.array(scores), responses)


def test_what_was_gained_comes_before_what_was_lost() -> None:
    said = ("yes", "no", "so", "maybe")
    found = sides(answers([1.0, 0, 0.5, 0], said), answers([0.0, 1, 0.5, 1], said[::-1]))
    assert [(one["id"], one["gained"], one["before"], one["after"]) for one in found] == [
        ("b", True, "no", "so"),
        ("d", True, "maybe", "yes"),
        ("a", False, "yes", "maybe"),
    ]
    assert spoken(found)


def test_an_evaluator_that_gives_no_texts_leaves_the_examples() -> None:
    found = sides(answers([1.0, 0, 0.5]), answers([0.0, 1, 0.5]))
    assert [(one["id"], one["gained"]) for one in found] == [("b", True), ("a", False)]
    assert not spoken(found)
    assert not spoken(sides(answers([1.0]), answers([1.0])))
