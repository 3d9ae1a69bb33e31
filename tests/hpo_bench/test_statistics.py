import numpy as np
import pytest

from hpo_bench import statistics
from hpo_bench.statistics import (
    REGRET_FLOOR,
    geometric_mean,
    mean_curve_band,
    median,
    null_band,
    ratio_of_means,
    summarise,
)
from landscapes.random_baseline import expected_regret

RANDOM = np.array([0.1, 0.2, 0.4])
REGRET = np.array([0.05, 0.02, 0.8])  # Ratios 0.5, 0.1 and 2.


def rng():
    return np.random.default_rng(0)


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


def test_the_interval_draws_whole_pairs():
    # Landscapes of a pair agree and pairs differ; were landscapes drawn one by one, the interval would be narrow.
    regret = np.repeat([[0.1], [0.1], [0.1], [0.9], [0.9], [0.9]], 10, axis=1)
    pairs = ["a", "a", "a", "b", "b", "b"]
    interval = summarise(ratio_of_means, regret=regret, random=np.ones(6), pairs=pairs, rng=rng())
    assert interval.value == pytest.approx(0.5)
    # Both draws hit one pair in half of all samples.
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.9))


def test_with_one_pair_the_interval_is_that_of_the_seeds():
    regret = rng().exponential(size=(1, 50))
    interval = summarise(ratio_of_means, regret=regret, random=np.ones(1), pairs=["a"], rng=rng(), replicates=20_000)
    error = regret.std() / np.sqrt(50)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_no_landscape_no_figure():
    nothing = summarise(median, regret=np.empty((0, 10)), random=np.empty(0), pairs=[], rng=rng())
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    band = null_band(median, samples=[], random=np.empty(0), budgets=[], seeds=10, rng=rng())
    assert np.isnan(band).all()


@pytest.mark.parametrize("summary", [median, geometric_mean, ratio_of_means])
def test_the_null_band_is_what_random_does(summary):
    samples = [np.sort(rng().beta(1, b, 2000)) for b in (1.0, 2.0, 4.0)]
    budgets, seeds = [5, 10, 20], 4
    random = np.array([expected_regret(s, [n])[0] for s, n in zip(samples, budgets, strict=True)])
    low, high = null_band(
        summary, samples=samples, random=random, budgets=budgets, seeds=seeds, rng=rng(), replicates=8000
    )
    # Real searches, draw by draw.
    draws = np.random.default_rng(5)
    regret = np.stack(
        [draws.choice(s, (8000, seeds, n)).min(-1).mean(-1) for s, n in zip(samples, budgets, strict=True)], axis=1
    )
    real = summary(regret, random, np.ones_like(regret))
    assert np.quantile(real, [0.025, 0.975]) == pytest.approx([low, high], rel=0.06)
    assert low < 1 < high


def test_curve_bands_agree_with_the_interval_at_each_evaluation():
    regret = np.sort(rng().random((4, 10, 6)), axis=2)[:, :, ::-1]
    pairs = ["a", "a", "b", "c"]
    low, high = mean_curve_band(regret, pairs=pairs, rng=rng(), replicates=20_000)
    for t in (0, 5):
        one = summarise(
            statistics.mean_regret, regret=regret[..., t], random=np.ones(4), pairs=pairs, rng=rng(), replicates=20_000
        )
        assert (low[t], high[t]) == pytest.approx((one.low, one.high), rel=0.03)
