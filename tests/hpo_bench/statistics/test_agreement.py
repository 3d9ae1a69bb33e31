"""Agreement of rankings, against scipy and by simulation."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from hpo_bench.statistics.agreement import FLOOR, agree, tau_b

PAIRS = ["a", "a", "b", "b", "c", "c", "d", "d"]


def test_tau_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 5, 8).astype(float), rng.integers(0, 5, 8).astype(float)
        assert tau_b(a, b) == pytest.approx(kendalltau(a, b).statistic, nan_ok=True)
    assert np.isnan(tau_b(np.ones(4), np.arange(4.0)))
    many = tau_b(np.stack([np.arange(4.0), -np.arange(4.0)]), np.stack([np.arange(4.0)] * 2))
    assert many == pytest.approx([1, -1])


def regrets(means: list[float], *, noise: float, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"o{i}": np.abs(m * (1 + noise * rng.normal(size=(8, 10)))) for i, m in enumerate(means)}


def test_equal_rankings_agree_and_opposite_ones_do_not() -> None:
    means = [0.01, 0.05, 0.1, 0.2, 0.4]
    same = agree(regrets(means, noise=0.1, seed=0), regrets(means, noise=0.1, seed=1), pairs=PAIRS)
    assert (same.tau, same.same_winner, same.winners) == (1.0, True, ("o0",))
    assert (same.low, same.same_winner_share) == (1.0, 1.0)
    other = agree(regrets(means, noise=0.1, seed=0), regrets(means[::-1], noise=0.1, seed=1), pairs=PAIRS)
    assert (other.tau, other.same_winner, other.same_winner_share) == (-1.0, False, 0.0)


def test_the_interval_is_wide_where_means_are_close() -> None:
    close = [0.1, 0.101, 0.102, 0.103]
    found = agree(regrets(close, noise=0.5, seed=2), regrets(close, noise=0.5, seed=3), pairs=PAIRS)
    assert found.low < 0 < found.high
    assert 0 < found.same_winner_share < 1


def test_what_nobody_could_tell_apart_ties() -> None:
    tiny = regrets([FLOOR / 100, FLOOR / 10, 0.2], noise=0.0, seed=0)
    flipped = regrets([FLOOR / 10, FLOOR / 100, 0.2], noise=0.0, seed=0)
    found = agree(tiny, flipped, pairs=PAIRS)
    assert found.tau == pytest.approx(1)
    assert found.winners == ("o0", "o1")


def test_the_same_figures_every_time() -> None:
    guise, reference = (regrets([0.1, 0.2, 0.3], noise=0.6, seed=s) for s in (4, 5))
    assert agree(guise, reference, pairs=PAIRS) == agree(guise, reference, pairs=PAIRS)


def few(means: list[float], *, landscapes: int, seed: int) -> dict[str, np.ndarray]:
    return {name: of[:landscapes] for name, of in regrets(means, noise=0.3, seed=seed).items()}


def test_rankings_on_different_landscapes_are_compared() -> None:
    means = [0.01, 0.05, 0.1, 0.2, 0.4]
    elsewhere = few(means, landscapes=3, seed=1)
    same = agree(elsewhere, few(means, landscapes=8, seed=0), pairs=["x", "x", "y"], reference_pairs=PAIRS)
    assert same.tau == 1.0
    assert same.high == 1.0
    turned = agree(few(means[::-1], landscapes=3, seed=1), few(means, landscapes=8, seed=0), pairs=["x", "x", "y"],
                   reference_pairs=PAIRS)  # fmt: skip
    assert turned.tau == -1.0


def test_those_that_are_equal_but_for_rounding_tie() -> None:
    rng = np.random.default_rng(0)
    one = rng.choice([0.0, 0.1, 0.2, 0.3, 0.7], (8, 10))
    other = rng.permuted(one, axis=1)
    assert one.mean() != other.mean(), "rounding leaves something"
    found = agree({"one": one, "other": other}, {"one": one, "other": other}, pairs=PAIRS)
    assert found.winners == ("one", "other")
    assert np.isnan(found.tau)


def test_a_part_is_drawn_with_its_whole() -> None:
    """Half of the pairs rank one way and half the other: which are drawn decides, unless both draw the same."""
    one, other = np.repeat([0.10, 0.20], 4), np.repeat([0.21, 0.10], 4)
    whole = {name: np.repeat(of[:, None], 10, axis=1) for name, of in (("one", one), ("other", other))}
    itself = agree(whole, whole, pairs=PAIRS, reference_pairs=PAIRS)
    apart = agree(whole, whole, pairs=[f"other {pair}" for pair in PAIRS], reference_pairs=PAIRS)
    assert (itself.tau, itself.low, itself.high) == (1.0, 1.0, 1.0)
    assert (apart.tau, apart.low, apart.high) == (1.0, -1.0, 1.0)
    part = agree({name: of[:2] for name, of in whole.items()}, whole, pairs=PAIRS[:2], reference_pairs=PAIRS)
    assert (part.low, part.high) == (-1.0, 1.0)


def test_resamples_without_a_ranking_are_not_counted_as_another_winner() -> None:
    """Of two of eight pairs neither is drawn in a tenth of the resamples."""
    means = [0.01, 0.1, 0.4]
    part = agree(
        few(means, landscapes=2, seed=0), few(means, landscapes=8, seed=0),
        pairs=["a", "b"], reference_pairs=list("abcdefgh"),
    )  # fmt: skip
    assert (part.same_winner, part.same_winner_share) == (True, 1.0)
