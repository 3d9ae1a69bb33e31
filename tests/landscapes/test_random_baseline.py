import numpy as np
import pytest

from landscapes.random_baseline import equivalent_draws, expected_curve, expected_regret


def test_hand_computed() -> None:
    sample = np.array([0.0, 0.5, 1.0])
    # One draw: the mean. Two: the least is 0 with 5/9, 1/2 with 3/9, 1 with 1/9.
    assert expected_regret(sample, [1, 2]) == pytest.approx([0.5, 0.5 * 3 / 9 + 1 / 9])


def test_uniform_regret_falls_as_one_over_t_plus_one() -> None:
    sample = (np.arange(100_000) + 0.5) / 100_000
    t = np.array([1, 2, 10, 40, 60])
    assert expected_regret(sample, t) == pytest.approx(1 / (t + 1), rel=1e-3)


def test_monte_carlo() -> None:
    rng = np.random.default_rng(0)
    sample = np.sort(rng.beta(2, 3, size=500))
    runs = np.minimum.accumulate(rng.choice(sample, size=(40_000, 20)), axis=1)
    error = runs.std(axis=0) / np.sqrt(len(runs))
    expected = expected_regret(sample, np.arange(1, 21))
    assert (np.abs(runs.mean(axis=0) - expected) < 4.5 * error).all()


def test_many_draws_reach_the_best_of_the_sample() -> None:
    assert expected_regret(np.array([0.2, 0.9]), 1e6) == pytest.approx([0.2])


def test_equivalent_draws_invert_the_expectation() -> None:
    sample = np.sort(np.random.default_rng(1).random(5000))
    for t in (1.0, 3.5, 40.0, 250.0):
        assert equivalent_draws(sample, expected_regret(sample, t)[0]) == pytest.approx(t, rel=1e-6)
    assert equivalent_draws(sample, 0.9) == 1.0
    assert equivalent_draws(sample, sample[0] / 2) == np.inf


def test_no_number_of_draws_is_sure_of_the_best_however_many_settings_have_it() -> None:
    assert equivalent_draws(np.array([0.0, 0.0, 0.5, 1.0]), 0.0) == np.inf
    assert equivalent_draws(np.array([0.2, 0.9]), 0.2) == np.inf
    assert equivalent_draws(np.array([0.2, 0.2]), 0.2) == 1.0


def test_neither_leaving_out_the_unlikely_nor_products_change_the_expectation() -> None:
    sample = np.sort(np.random.default_rng(3).random(4096))
    draws = np.array([1, 2, 7, 60, 1000, 30_000])
    chance = np.arange(len(sample) - 1, 0, -1) / len(sample)
    exact = [sample[0] + np.diff(sample) @ chance**t for t in draws]
    assert expected_regret(sample, draws) == pytest.approx(exact, rel=1e-13)
    assert expected_curve(sample, 60) == pytest.approx(expected_regret(sample, np.arange(1, 61)), rel=1e-13)
