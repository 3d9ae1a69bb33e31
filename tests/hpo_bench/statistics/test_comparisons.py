from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import wilcoxon

from hpo_bench.statistics.comparisons import chances, compare, holm
from hpo_bench.statistics.intervals import Intervals

N = 12
RANDOM = np.full(N, 0.2)


PAIRS = np.array([str(i) for i in range(N)])


def against(regret):
    return {one.other: one for one in compare("own", regret, RANDOM, intervals=Intervals(list(PAIRS)))}


@pytest.fixture
def regret():
    own = np.random.default_rng(0).uniform(0.05, 0.1, (N, 5))
    noise = np.random.default_rng(1).normal(0, 0.002, (N, 5))
    return {"own": own, "same": own + noise, "poor": own + 0.1 + noise, "great": own - 0.05 + noise}


def test_verdicts(regret):
    found = against(regret)
    assert {other: one.verdict for other, one in found.items()} == {"same": "open", "poor": "better", "great": "worse"}
    assert found["poor"].difference.value == pytest.approx(0.5, abs=0.02)
    assert (found["poor"].better, found["poor"].worse) == (N, 0)


def test_holm_multiplies_the_least_p_by_the_number_of_comparisons(regret):
    alone = against({name: regret[name] for name in ("own", "poor")})["poor"].p
    assert alone == pytest.approx(wilcoxon((regret["poor"] - regret["own"]).mean(axis=1)).pvalue)
    assert against(regret)["poor"].p == pytest.approx(3 * alone)


def test_a_difference_that_nobody_could_see_is_equivalent(regret):
    seen, unseen = (
        chances("poor", regret["own"], regret["poor"], rope=np.full(N, rope), pairs=PAIRS) for rope in (0.01, 0.5)
    )
    assert seen[0] > 0.99
    assert unseen[1] > 0.99
    assert sum(seen) == pytest.approx(1)


def test_the_same_regrets_with_other_seeds_are_equal_however_their_sums_are_rounded():
    rng = np.random.default_rng(0)
    own = rng.choice([0.0, 0.1, 0.2, 0.3, 0.7], (N, 10))
    other = rng.permuted(own, axis=1)
    assert (other - own).mean(axis=1).any(), "rounding leaves something"
    (equal,) = compare("own", {"own": own, "other": other}, RANDOM, intervals=Intervals(list(PAIRS)))
    assert (equal.better, equal.worse, equal.p) == (0, 0, 1.0)
    steps = np.array([1, -1, 2, 3, 3, -2, 0, 0, 4, 5, -3, 1])
    tied = other + 0.1 * steps[:, None]
    (found,) = compare("own", {"own": own, "other": tied}, RANDOM, intervals=Intervals(list(PAIRS)))
    assert found.p == pytest.approx(wilcoxon(steps, zero_method="pratt").pvalue)
    (tiny,) = compare("own", {"own": 1e-30 * own, "other": 1e-30 * tied}, RANDOM, intervals=Intervals(list(PAIRS)))
    assert tiny.p == found.p


def test_landscapes_of_one_pair_count_as_one():
    own, other = np.zeros((12, 3)), np.full((12, 3), 0.1)
    other[1::2] = -0.1  # Each pair has one landscape for the one and one for the other.
    pairs = [str(i // 2) for i in range(12)]
    (even,) = compare("own", {"own": own, "other": other}, RANDOM, intervals=Intervals(pairs))
    assert even.p == 1.0
    other[:] = 0.1
    (clear,) = compare("own", {"own": own, "other": other}, RANDOM, intervals=Intervals(pairs))
    assert clear.p == pytest.approx(2 / 2**6)
    (few,) = compare("own", {"own": own, "other": other}, RANDOM, intervals=Intervals(pairs[:6] * 2))
    assert np.isnan(few.p)


def test_what_could_not_be_tested_is_not_counted(regret):
    found = compare("own", regret, RANDOM, intervals=Intervals(list(PAIRS)))
    raw = replace(found[0], p=0.02)
    adjusted = holm([raw, replace(raw, p=np.nan), replace(raw, p=0.5)])
    assert [adjusted[0].p, adjusted[2].p] == pytest.approx([0.04, 0.5])
    assert np.isnan(adjusted[1].p)


def test_five_landscapes_are_too_few_for_a_test():
    regret = {"own": np.zeros((5, 3)), "other": np.ones((5, 3))}
    (found,) = compare("own", regret, np.ones(5), intervals=Intervals(list("abcde")))
    assert np.isnan(found.p)
    assert found.verdict == "open"


def test_equal_optimisers_are_equal():
    regret = {"own": np.zeros((8, 3)), "twin": np.zeros((8, 3))}
    (found,) = compare("own", regret, np.ones(8), intervals=Intervals(list("abcdefgh")))
    assert found.p == 1.0
    assert chances("twin", regret["own"], regret["twin"], rope=np.ones(8), pairs=np.array(list("abcdefgh")))[1] > 0.99


def test_nobody_to_compare_with():
    assert compare("own", {"own": np.ones((3, 2))}, np.ones(3), intervals=Intervals(list("abc"))) == []
