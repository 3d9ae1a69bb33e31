"""Errors over examples: intervals of 1.96 of them hold, also where hardly any answer tells two models apart."""

import numpy as np
import pytest
from scipy.stats import binomtest

from hpo_bench.statistics.examples import Z95, error_of_difference, error_of_mean

REPLICATES = 4000
"""The standard error of a coverage of 95% is .3%."""


def test_where_no_answer_differs_as_much_is_open_as_so_few_examples_leave_open() -> None:
    """None of 80 differs: up to 3.7% of all may (the rule of three), for the better or for the worse."""
    assert 0.034 < Z95 * error_of_difference(np.zeros(80)) < 0.04
    assert 0.034 < Z95 * error_of_mean(np.ones(80)) < 0.04


@pytest.mark.parametrize("better", range(3, 9))
def test_few_answers_for_the_better_are_judged_as_an_exact_test_judges_them(better: int) -> None:
    differences = np.repeat([1.0, 0.0], [better, 80 - better])
    shown = differences.mean() > Z95 * error_of_difference(differences)
    assert shown == (binomtest(better, better).pvalue < 0.05)  # McNemar's test


def test_many_examples_have_the_usual_error() -> None:
    scores = np.random.default_rng(0).choice([0.0, 0.5, 1.0], size=(2, 5000))
    change = scores[0] - scores[1]
    assert error_of_mean(scores[0]) == pytest.approx(scores[0].std(ddof=1) / np.sqrt(5000), rel=2e-3)
    assert error_of_difference(change) == pytest.approx(change.std(ddof=1) / np.sqrt(5000), rel=2e-3)


def test_one_example_tells_nothing() -> None:
    assert np.isnan(error_of_mean(np.ones(1)))
    assert np.isnan(error_of_difference(np.zeros(1)))


def coverage(draw, truth: float, error) -> float:
    samples = draw(np.random.default_rng(0))
    held = [abs(one.mean() - truth) <= Z95 * error(one) for one in samples]
    return float(np.mean(held))


@pytest.mark.parametrize("examples", [20, 80, 320])
@pytest.mark.parametrize("differing", [0.01, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("better", [0.5, 2 / 3, 1.0])
def test_differences_of_right_and_wrong_hold(examples: int, differing: float, better: float) -> None:
    """The plain error holds in 84 of 100 at 80 examples and 3%, and in 33 at 40 and 1%."""
    shares = [differing * better, differing * (1 - better), 1 - differing]

    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.choice([1.0, -1.0, 0.0], size=(REPLICATES, examples), p=shares)

    held = coverage(draw, differing * (2 * better - 1), error_of_difference)
    assert held >= 0.94
    if examples * differing >= 30:  # enough differ for a normal interval
        assert held <= 0.965


@pytest.mark.parametrize("spread", [0.05, 0.3])
def test_differences_of_graded_scores_hold_and_are_not_blown_up(spread: float) -> None:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.normal(0.01, spread, (REPLICATES, 80))

    assert 0.935 <= coverage(draw, 0.01, error_of_difference) <= 0.97


def test_few_steps_of_graded_scores_hold() -> None:
    steps, shares = [-1, -0.6, -0.3, 0, 0.3, 0.6, 1], [0.005, 0.005, 0.01, 0.94, 0.02, 0.01, 0.01]

    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.choice(steps, size=(REPLICATES, 80), p=shares)

    assert coverage(draw, float(np.dot(steps, shares)), error_of_difference) >= 0.94


@pytest.mark.parametrize("examples", [20, 80, 320])
@pytest.mark.parametrize("right", [0.02, 0.1, 0.5, 0.95])
def test_shares_of_right_answers_hold(examples: int, right: float) -> None:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return (rng.random((REPLICATES, examples)) < right).astype(float)

    assert coverage(draw, right, error_of_mean) >= 0.94
