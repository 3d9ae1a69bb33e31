import numpy as np
import pytest

from hpo_bench.statistics.intervals import UNDEFINED, Intervals
from hpo_bench.statistics.ratios import REGRET_FLOOR, geometric_mean, median, over_random, ratio_of_means

RANDOM = np.array([0.1, 0.2, 0.4])
REGRET = np.array([0.05, 0.02, 0.8])  # Ratios 0.5, 0.1 and 2.


@pytest.mark.parametrize(
    ("summary", "by_hand"),
    [(median, 0.5), (geometric_mean, (0.5 * 0.1 * 2) ** (1 / 3)), (ratio_of_means, 0.87 / 0.7)],
)
def test_summaries_by_hand(summary, by_hand):
    assert summary(REGRET, RANDOM, np.ones(3)) == pytest.approx(by_hand)


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two():
    assert median(REGRET[:2], RANDOM[:2], np.ones(2)) == pytest.approx(0.3)


@pytest.mark.parametrize("summary", [median, geometric_mean, ratio_of_means])
def test_weights_are_repetitions(summary):
    weight = np.array([2.0, 0.0, 3.0])
    repeated = np.repeat(np.arange(3), weight.astype(int))
    expected = summary(REGRET[repeated], RANDOM[repeated], np.ones(5))
    assert summary(REGRET, RANDOM, weight) == pytest.approx(expected)
    assert summary(np.tile(REGRET, (4, 1)), RANDOM, np.tile(weight, (4, 1))) == pytest.approx([expected] * 4)


def test_a_zero_regret_counts_as_the_floor_in_geometric_means_alone():
    regret, random, ones = np.array([0.0, 0.1]), np.array([0.1, 0.1]), np.ones(2)
    assert geometric_mean(regret, random, ones) == pytest.approx(np.sqrt(REGRET_FLOOR / 0.1))
    assert ratio_of_means(regret, random, ones) == pytest.approx(0.5)
    assert median(regret, random, ones) == pytest.approx(0.5)


def test_where_random_has_no_regret_equals_are_1_and_others_infinite():
    """On three settings a random search ends at the best: nobody is better, and a ratio is no 0/0."""
    regret, random, ones = np.array([0.0, 0.2, 0.05]), np.array([0.0, 0.0, 0.1]), np.ones(3)
    assert over_random(regret, random).tolist() == [1.0, np.inf, 0.5]
    assert median(regret, random, ones) == 1.0
    assert ratio_of_means(np.zeros(3), np.zeros(3), ones) == 1.0
    assert Intervals(["a"] * 3).difference(regret[:, None], np.zeros((3, 1)), np.zeros(3)) is UNDEFINED
