import numpy as np
import pytest

from hpo_bench.benchmark.searches import random_searches, ranked
from landscapes.random_baseline import equivalent_draws, expected_regret


def test_simulated_random_searches_have_the_distribution_of_real_ones():
    sample = np.sort(np.random.default_rng(0).beta(0.8, 2.0, 500))
    rng = np.random.default_rng(1)
    quick = random_searches(sample, 7, rng=rng, searches=40_000)
    slow = rng.choice(sample, size=(40_000, 7)).min(axis=1)
    levels = [0.1, 0.5, 0.9]
    assert np.quantile(quick[:, -1], levels) == pytest.approx(np.quantile(slow, levels), rel=0.05)
    assert quick.mean(axis=0) == pytest.approx(expected_regret(sample, np.arange(1, 8)), rel=0.03)


def test_a_noisy_search_takes_what_looks_best_and_pays_for_what_it_is():
    sample = np.array([0.0, 1.0])
    clear = random_searches(sample, 10, rng=np.random.default_rng(0), noise=1e-6)
    assert clear[:, -1].mean() == pytest.approx(2**-10, abs=0.003)
    # Under overwhelming noise any of the ten is as likely to be taken as any other.
    blind = random_searches(sample, 10, rng=np.random.default_rng(0), noise=1e6)
    assert blind[:, -1].mean() == pytest.approx(0.5, abs=0.03)


def test_by_rank_any_number_of_noisy_draws_is_judged_as_by_simulation():
    rng = np.random.default_rng(2)
    regret = rng.beta(0.8, 2.0, (64, 2**13))
    sample = ranked(regret, regret + 0.2 * rng.standard_normal(regret.shape))
    noisy = random_searches(np.sort(regret[0]), 60, rng=rng, noise=0.2, searches=20_000).mean(axis=0)
    t = np.array([1, 4, 12, 30, 60])
    assert expected_regret(sample, t) == pytest.approx(noisy[t - 1], rel=0.05)
    assert equivalent_draws(sample, noisy[29], most=1e3) == pytest.approx(30, rel=0.15)
    assert np.array_equal(ranked(regret[:1], regret[:1]), np.sort(regret[0])), "without noise"
