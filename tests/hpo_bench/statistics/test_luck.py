import numpy as np
import pytest

from hpo_bench.benchmark.searches import random_searches
from hpo_bench.statistics.luck import null_band, random_benchmarks
from hpo_bench.statistics.ratios import geometric_mean, median, ratio_of_means
from landscapes.random_baseline import expected_regret


@pytest.mark.parametrize("summary", [median, geometric_mean, ratio_of_means])
def test_the_null_band_is_what_random_does(summary):
    rng = np.random.default_rng(0)
    samples = [np.sort(rng.beta(1, b, 2000)) for b in (1.0, 2.0, 4.0)]
    budgets, seeds = [5, 10, 20], 4
    random = np.array([expected_regret(s, [n])[0] for s, n in zip(samples, budgets, strict=True)])
    searches = np.stack(
        [random_searches(s, n, rng=rng, searches=20_000)[:, -1] for s, n in zip(samples, budgets, strict=True)]
    )
    low, high = null_band(summary, random_benchmarks(searches, seeds, rng=rng, replicates=8000), random)
    # Real searches, draw by draw.
    draws = np.random.default_rng(5)
    regret = np.stack(
        [draws.choice(s, (8000, seeds, n)).min(-1).mean(-1) for s, n in zip(samples, budgets, strict=True)], axis=1
    )
    real = summary(regret, random, np.ones_like(regret))
    assert np.quantile(real, [0.025, 0.975]) == pytest.approx([low, high], rel=0.06)
    assert low < 1 < high


def test_no_landscape_no_band():
    assert np.isnan(null_band(median, np.empty((10, 0)), np.empty(0))).all()
