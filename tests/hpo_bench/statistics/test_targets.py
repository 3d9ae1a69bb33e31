import numpy as np
import pytest

from hpo_bench.statistics.targets import Arrival, performance_profile

NEVER = [0.9, 0.8, 0.7, 0.6]


def test_arrival_is_the_first_evaluation_under_the_target():
    found = Arrival.of(np.array([[0.9, 0.1, 0.1, 0.05], [0.1, 0.1, 0.1, 0.1], NEVER]), 0.1)
    assert found.evaluations.tolist() == [2, 1, 4]
    assert found.reached.tolist() == [True, True, False]
    assert found.share == pytest.approx(2 / 3)
    # COCO's: (2 + 1 + 4) evaluations for two successes.
    assert found.average_running_time == pytest.approx(3.5)


def test_what_is_good_for_a_while_and_then_worse_again_has_not_arrived():
    found = Arrival.of(np.array([[0.5, 0.05, 0.2, 0.08], [0.01, 0.5, 0.5, 0.5], [0.1, 0.1, 0.1, 0.1]]), 0.1)
    assert found.evaluations.tolist() == [4, 4, 1]
    assert found.reached.tolist() == [True, False, True]


def test_who_never_arrives_is_said_so():
    found = Arrival.of(np.array([NEVER, NEVER]), 0.1)
    assert np.isnan(found.median())
    assert found.average_running_time == np.inf
    assert found.curve(4)[3] == 0.0


def test_a_shorter_budget_censors_and_does_not_fail():
    # Kaplan and Meier by hand: at t = 2 one of four arrives; one leaves at t = 2; at t = 4 one of the two left arrives.
    early = Arrival.of(np.array([[0.9, 0.0], [0.9, 0.9]]), 0.1)
    late = Arrival.of(np.array([[0.9, 0.9, 0.9, 0.0], [0.9, 0.9, 0.9, 0.9]]), 0.1)
    curve = Arrival.pooled([early, late]).curve(5)
    assert curve[:4] == pytest.approx([0, 0.25, 0.25, 1 - 0.75 * 0.5])
    assert np.isnan(curve[4])


def test_equal_budgets_give_the_plain_share():
    regret = np.minimum.accumulate(np.random.default_rng(0).random((200, 30)), axis=1)
    curve = Arrival.of(regret, 0.05).curve(30)
    assert curve == pytest.approx((regret <= 0.05).mean(axis=0))


def test_the_median_is_when_half_have_arrived_whatever_rounding_makes_of_the_product():
    for runs in range(1, 40):
        arrived = np.arange(1.0, runs + 1)
        half = -(-runs // 2)
        assert Arrival(arrived, np.ones(runs, dtype=bool)).median() == half
        exactly = arrived <= half
        assert Arrival(np.where(exactly, arrived, runs), exactly).median() == half


def test_the_performance_profile_by_hand():
    costs = np.array([[10.0, 30.0, np.inf], [20.0, 10.0, np.inf]])
    shares = performance_profile(costs, np.array([1.0, 2.0, 3.0]))
    assert shares.tolist() == [[0.5, 0.5, 1.0], [0.5, 1.0, 1.0]]
    assert np.isnan(performance_profile(np.full((2, 2), np.inf), np.ones(1))).all()
