"""Whether merges were told from each other."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.tuning.outcome.distinction import LEVEL, chance_of_luck


def scored(scores: np.ndarray) -> list[Answers]:
    ids = tuple(map(str, range(scores.shape[1])))
    return [Answers(ids, ids, row) for row in scores]


def test_two_merges_are_compared_as_by_a_paired_t_test() -> None:
    scores = np.random.default_rng(0).random((2, 40))
    assert chance_of_luck(scored(scores)) == pytest.approx(ttest_rel(*scores).pvalue)


def test_equal_answers_are_luck_and_a_shift_of_all_is_none() -> None:
    row = np.random.default_rng(0).random(30)
    assert chance_of_luck(scored(np.tile(row, (12, 1)))) == 1.0
    assert chance_of_luck(scored(np.zeros((12, 30)))) == 1.0
    assert chance_of_luck(scored(row * 0.5 + np.array([[0.0], [0.1]]))) == 0.0
    assert chance_of_luck(scored(row[None])) == 1.0


def test_neighbours_that_answer_alike_are_told_apart_by_luck_as_rarely_as_is_said() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        settings = rng.random((21, 2)) - 0.5
        # SYNTHETIC: each example is right on one side of a line of its own, and no side is better on average.
        lines = rng.normal(size=(60, 2)), 0.7 * rng.normal(size=60)
        found.append(chance_of_luck(scored((settings @ lines[0].T * 1.5 + lines[1] > 0).astype(float))))
    assert np.mean(np.array(found) < LEVEL) == pytest.approx(LEVEL, abs=0.035)


def test_one_merge_that_is_better_is_told_apart() -> None:
    hardness = np.random.default_rng(0).random(100)
    heights = np.r_[np.full(20, 0.4), 0.7]
    assert chance_of_luck(scored((heights[:, None] > hardness).astype(float))) < 1e-6


def test_merges_that_answered_other_questions_are_not_compared() -> None:
    with pytest.raises(TuningError, match="different examples"):
        chance_of_luck([Answers(("a", "b"), ("", ""), np.ones(2)), Answers(("a", "c"), ("", ""), np.ones(2))])
