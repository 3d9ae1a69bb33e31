"""Intervals in cases that can be worked out by hand; `test_coverage.py` has how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from hpo_bench.statistics.intervals import LEAST_PAIRS, Intervals
from hpo_bench.statistics.ratios import geometric_mean, mean_regret, median, ratio_of_means

PAIRS = list("abcdefgh")


def rng():
    return np.random.default_rng(0)


def ends(interval):
    return interval.low, interval.high


def test_a_geometric_mean_has_students_interval_of_the_logarithms():
    regret, random = np.exp(rng().normal(size=(8, 1))), np.ones(8)
    logs = np.log(regret[:, 0])
    by_hand = np.exp(stats.t.interval(0.95, 7, logs.mean(), stats.sem(logs)))
    assert ends(Intervals(PAIRS).of(geometric_mean, regret, random)) == pytest.approx(by_hand)


def test_a_difference_has_the_reach_of_both_where_they_have_nothing_in_common():
    first = np.array([1.0, 1, 1, 1, 3, 3, 3, 3])[:, None]
    second = np.array([0.1, 0.3, 0.1, 0.3, 0.1, 0.3, 0.1, 0.3])[:, None]
    intervals = Intervals(PAIRS)
    one, other = (intervals.of(ratio_of_means, values, np.ones(8)) for values in (first, second))
    found = intervals.difference(first, second, np.ones(8))
    assert found.value == pytest.approx(1.8)
    assert found.low == pytest.approx(1.8 - np.hypot(one.value - one.low, other.high - other.value))
    assert found.high == pytest.approx(1.8 + np.hypot(one.high - one.value, other.value - other.low))


def test_a_paired_difference_is_known_better_than_either():
    regret = rng().exponential(size=(8, 20))
    found, alone = (
        Intervals(PAIRS).difference(regret + 0.1, regret, np.ones(8)),
        Intervals(PAIRS).of(mean_regret, regret, np.ones(8)),
    )
    assert found.value == pytest.approx(0.1)
    assert found.high - found.low < 0.3 * (alone.high - alone.low)


def test_seeds_are_not_counted_twice():
    """How far pairs differ holds the luck of their seeds: the same means from other seeds have the same interval."""
    regret = rng().exponential(size=(8, 10))
    steady = np.repeat(regret.mean(axis=1, keepdims=True), 10, axis=1)
    for summary in (median, geometric_mean, ratio_of_means):
        one, other = (Intervals(PAIRS).of(summary, values, np.ones(8)) for values in (regret, steady))
        assert ends(one) == pytest.approx(ends(other))


def test_landscapes_of_a_pair_count_as_one():
    regret = rng().exponential(size=(8, 5))
    for summary in (geometric_mean, ratio_of_means, mean_regret):
        once = Intervals(PAIRS).of(summary, regret, np.ones(8))
        thrice = Intervals(PAIRS * 3).of(summary, np.tile(regret, (3, 1)), np.ones(24))
        assert ends(once) == pytest.approx(ends(thrice))


def test_where_few_pairs_have_all_the_regret_little_is_known():
    even, uneven = np.full((8, 1), 0.1), np.full((8, 1), 1e-4)
    even[::2], uneven[0] = 0.2, 1.0
    narrow, wide = (Intervals(PAIRS).of(ratio_of_means, values, np.ones(8)) for values in (even, uneven))
    assert narrow.high / narrow.low < 2
    assert wide.high / wide.low > 50


def test_with_one_pair_the_interval_is_that_of_the_seeds():
    regret = rng().normal(10, 1, size=(2, 50))
    found = Intervals(["a", "a"]).of(mean_regret, regret, np.ones(2))
    by_hand = stats.t.interval(0.95, 49, 10, regret.mean(axis=0).std(ddof=1) / np.sqrt(50))
    assert found.high - found.low == pytest.approx(by_hand[1] - by_hand[0], rel=0.01)


def test_a_median_lies_between_landscapes_that_are_there_and_needs_six_pairs():
    ratio = np.arange(1.0, 21.0)[:, None]
    pairs = [str(i) for i in range(20)]
    low, high = ends(Intervals(pairs).of(median, ratio, np.ones(20)))
    # The sixth and the fifteenth, by the binomial distribution, to within one.
    assert 5 <= low <= 7
    assert 14 <= high <= 16
    assert ends(Intervals(pairs[:LEAST_PAIRS]).of(median, ratio[:LEAST_PAIRS], np.ones(LEAST_PAIRS))) == (1, 6)
    five = Intervals(pairs[:5]).of(median, ratio[:5], np.ones(5))
    assert five.value == 3
    assert np.isnan(ends(five)).all()


def test_what_cannot_be_said_is_not_said():
    nothing = Intervals(["a"]).of(median, np.ones((1, 10)), np.ones(1), kept=np.zeros(1, dtype=bool))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    alone = Intervals(["a"]).of(ratio_of_means, np.ones((1, 1)), np.ones(1))
    assert alone.value == 1
    assert np.isnan(ends(alone)).all()
    two = rng().exponential(size=(2, 5))
    for summary in (ratio_of_means, geometric_mean, mean_regret):
        assert np.isnan(ends(Intervals(["a", "b"]).of(summary, two, np.ones(2)))).all()
        assert np.isnan(ends(Intervals(["a", "a"]).of(summary, two[:, :2], np.ones(2)))).all()
        assert np.isfinite(ends(Intervals(["a", "a"]).of(summary, two[:, :3], np.ones(2)))).all()
    assert np.isnan(Intervals(["a", "b"]).difference(two, two[::-1], np.ones(2)).low)
    solved = Intervals(PAIRS).of(ratio_of_means, np.zeros((8, 3)), np.ones(8))
    assert solved.value == 0
    assert np.isnan(ends(solved)).all()
    one = np.ones((8, 3)) + np.arange(8)[:, None]
    assert ends(Intervals(PAIRS).difference(one, one, np.ones(8))) == (0, 0)
    from_nothing = Intervals(PAIRS).difference(one, np.zeros((8, 3)), np.ones(8))
    assert ends(from_nothing) == pytest.approx(ends(Intervals(PAIRS).of(ratio_of_means, one, np.ones(8))))
    assert np.isnan(Intervals(["a"]).difference(np.ones((1, 1)), np.zeros((1, 1)), np.ones(1)).low)


def test_a_single_pair_that_has_all_the_regret_leaves_an_interval():
    only = np.zeros((8, 1))
    only[3] = 1.0
    found = Intervals(PAIRS).of(ratio_of_means, only, np.ones(8))
    assert 0 < found.low < found.value == 0.125 < found.high < 100


def test_some_landscapes_alone_are_as_a_benchmark_of_these():
    regret, random = rng().exponential(size=(9, 30)), np.linspace(0.5, 1.5, 9)
    pairs = np.array(list("aabbcdefg"))
    kept = np.array([True, False, True, True, False, True, True, True, True])
    for summary in (median, geometric_mean, ratio_of_means):
        some = Intervals(pairs).of(summary, regret, random, kept=kept)
        assert some == Intervals(pairs[kept]).of(summary, regret[kept], random[kept])


@pytest.mark.parametrize("pairs", [list("aabcdefg"), list("aaaaaaaa")])
@pytest.mark.parametrize("summary", [median, mean_regret, ratio_of_means])
def test_curve_bands_are_the_interval_at_each_evaluation(pairs, summary):
    regret = np.sort(rng().random((8, 10, 6)), axis=2)[:, :, ::-1]
    random = np.sort(rng().random((8, 6)), axis=1)[:, ::-1]
    intervals = Intervals(pairs)
    low, high = intervals.curve(summary, regret, random, np.arange(8))
    for t in (0, 5):
        assert (low[t], high[t]) == pytest.approx(ends(intervals.of(summary, regret[..., t], random[:, t])))


def test_landscapes_of_one_pair_among_those_of_many_have_no_interval():
    """Their seeds alone would tell how sure it is, beside figures whose intervals are over pairs."""
    regret, random = np.exp(rng().normal(size=(8, 10))), np.ones(8)
    first = np.arange(8) < 2
    for summary in (ratio_of_means, median, geometric_mean, mean_regret):
        of_many = Intervals(["a", *"aabbcde"]).of(summary, regret, random, kept=first)
        alone = Intervals(["a", "a"]).of(summary, regret[first], random[first])
        assert of_many.value == pytest.approx(alone.value)
        assert np.isnan(ends(of_many)).all()
        assert np.isfinite(ends(alone)).all()
    low, high = Intervals(["a", *"aabbcde"]).curve(mean_regret, regret[:2, :, None], random[:2, None], np.array([0, 1]))
    assert np.isnan([low, high]).all()


@pytest.mark.filterwarnings("error")
def test_a_difference_on_few_and_unlike_pairs_has_ends_or_none_and_no_overflow():
    first, second = np.array([[0.0], [0.001], [0.0]]), np.array([[0.1], [0.001], [0.01]])
    random = np.array([0.3, 0.001, 0.0005])
    found = Intervals(list("abc")).difference(first, second, random)
    assert found.value == pytest.approx((0.001 - 0.111) / 0.3015)
    assert found.low < -100 < 1e290 < found.high, "next to nothing is known"
    beyond = Intervals(list("abc")).difference(first, second, random * [2, 1, 1])
    assert np.isnan(beyond.high)
    nowhere_else = Intervals(list("abc")).difference(second, first, np.array([0.3, 0.0, 0.0]))
    assert nowhere_else.value == pytest.approx(0.11 / 0.3)
    assert np.isnan([nowhere_else.low, nowhere_else.high]).all()
