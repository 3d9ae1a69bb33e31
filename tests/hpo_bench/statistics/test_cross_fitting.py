from collections.abc import Callable

import numpy as np
import pytest

from hpo_bench.statistics.cross_fitting import cross_fit


def highest(answers: np.ndarray) -> Callable[[np.ndarray], int]:
    return lambda by: int(answers[:, by].mean(axis=1).argmax())


def test_each_example_is_scored_where_the_others_point() -> None:
    # Without the first fold setting 1 is best, without the second setting 0.
    answers = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    found = cross_fit(answers, np.array([0, 0, 1, 1]), highest(answers))
    assert found.chosen.tolist() == [1, 0]
    assert found.scores.tolist() == [0.0, 0.0, 0.0, 0.0]


def test_luck_is_not_counted() -> None:
    # Settings are equally good: the highest of forty scores is luck, and the cross-fitted score is not.
    rng, honest, lucky = np.random.default_rng(0), [], []
    for _ in range(200):
        answers = (rng.random((40, 100)) < 0.5).astype(float)
        honest.append(cross_fit(answers, np.arange(100) % 5, highest(answers)).score)
        lucky.append(answers.mean(axis=1).max())
    assert np.mean(lucky) > 0.58
    assert np.mean(honest) == pytest.approx(0.5, abs=0.012)
