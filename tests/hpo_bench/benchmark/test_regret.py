import numpy as np
import pytest
import synthetic

from hpo_bench.benchmark.regret import best_so_far, random_searches, regret_of
from landscapes.random_baseline import expected_regret

NAN = float("nan")


def test_the_incumbent_keeps_the_best_and_ignores_failures():
    scores = [[NAN, 0.2, NAN, 0.1, 0.5], [0.3, 0.1, 0.4, NAN, 0.2]]
    assert np.array_equal(best_so_far(scores), [[NAN, 0.2, 0.2, 0.2, 0.5], [0.3, 0.3, 0.4, 0.4, 0.4]], equal_nan=True)


def test_regret_is_the_fraction_of_the_certified_range(tmp_path):
    landscape = synthetic.landscape(tmp_path)
    high, low = landscape.optimum.score, landscape.minimum.score
    incumbents = [NAN, low, low + 0.25 * (high - low), high]
    assert regret_of(landscape, incumbents) == pytest.approx([1.0, 1.0, 0.75, 0.0])


def test_passing_the_certified_maximum_shows(tmp_path):
    landscape = synthetic.landscape(tmp_path)
    assert regret_of(landscape, [landscape.optimum.score + 0.1 * landscape.range])[0] == pytest.approx(-0.1)


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
