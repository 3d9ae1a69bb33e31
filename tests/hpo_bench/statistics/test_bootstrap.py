import numpy as np
import pytest

from hpo_bench.statistics.bootstrap import Bootstrap
from hpo_bench.statistics.ratios import mean_regret, median, ratio_of_means


def rng():
    return np.random.default_rng(0)


def test_the_interval_draws_whole_pairs():
    # Landscapes of a pair agree and pairs differ; were landscapes drawn one by one, the interval would be narrow.
    regret = np.repeat([[0.1], [0.1], [0.1], [0.9], [0.9], [0.9]], 10, axis=1)
    interval = Bootstrap(["a", "a", "a", "b", "b", "b"], 10).interval(ratio_of_means, regret, np.ones(6))
    assert interval.value == pytest.approx(0.5)
    # Both draws hit one pair in half of all samples.
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.9))


def test_with_one_pair_the_interval_is_that_of_the_seeds():
    regret = rng().exponential(size=(1, 50))
    interval = Bootstrap(["a"], 50, replicates=20_000).interval(ratio_of_means, regret, np.ones(1))
    error = regret.std() / np.sqrt(50)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_some_landscapes_alone_are_as_a_benchmark_of_these():
    regret, random = rng().exponential(size=(6, 30)), np.linspace(0.5, 1.5, 6)
    pairs = ["a", "a", "b", "b", "c", "d"]
    kept = np.array([True, False, True, True, False, True])
    some = Bootstrap(pairs, 30, replicates=20_000).interval(median, regret, random, kept=kept)
    alone = Bootstrap(["a", "b", "b", "d"], 30, replicates=20_000).interval(median, regret[kept], random[kept])
    assert (some.value, some.low, some.high) == pytest.approx((alone.value, alone.low, alone.high), rel=0.05)


def test_no_landscape_no_figure():
    nothing = Bootstrap(["a"], 10).interval(median, np.ones((1, 10)), np.ones(1), kept=np.zeros(1, dtype=bool))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_a_paired_difference_is_known_better_than_either():
    # Two optimisers that share all luck with seeds and landscapes but for a constant.
    regret = rng().exponential(size=(8, 20))
    bootstrap = Bootstrap(list("abcdefgh"), 20)
    gap = bootstrap.interval(mean_regret, regret + 0.1 - regret, np.ones(8))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.1, 0.1, 0.1))
    assert np.ptp(np.array([bootstrap.interval(mean_regret, regret, np.ones(8)).low, gap.low])) > 0.1


def test_curve_bands_are_the_interval_at_each_evaluation():
    regret = np.sort(rng().random((4, 10, 6)), axis=2)[:, :, ::-1]
    bootstrap = Bootstrap(["a", "a", "b", "c"], 10)
    low, high = bootstrap.curve(regret, np.arange(4))
    for t in (0, 5):
        one = bootstrap.interval(mean_regret, regret[..., t], np.ones(4))
        assert (low[t], high[t]) == pytest.approx((one.low, one.high))
