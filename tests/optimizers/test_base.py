import numpy as np
import pytest

from optimizers import BudgetExhaustedError, InvalidSettingError, Optimizer, ProtocolError, available
from optimizers.random_search import RandomSearch


class Fixed(Optimizer):
    """Proposes whatever the class says."""

    name = "fixed"
    label = "Fixed"
    proposal: object = (0.5, 0.5)

    def _next(self):
        return np.array(self.proposal, dtype=float)


def test_one_method_makes_an_optimizer() -> None:
    optimizer = Fixed(2, seed=0, budget=1)
    x = optimizer.ask()
    optimizer.tell(x, 3.0)
    X, scores = optimizer.history
    assert X.tolist() == [[0.5, 0.5]]
    assert scores.tolist() == [3.0]
    with pytest.raises(BudgetExhaustedError):
        optimizer.ask()


def test_no_method_is_named() -> None:
    with pytest.raises(ProtocolError, match="_next"):
        Optimizer(2, seed=0, budget=1).ask()


@pytest.mark.parametrize("proposal", [(0.5,), (0.5, 0.5, 0.5), (0.5, np.nan), (np.inf, 0.5), (0.5, -np.inf)])
def test_what_is_no_point_is_refused(proposal) -> None:
    optimizer = type("Bad", (Fixed,), {"proposal": proposal})(2, seed=0, budget=1)
    with pytest.raises(ProtocolError, match="no point in 2-D"):
        optimizer.ask()
    assert not optimizer.pending


def test_a_step_outside_ends_at_the_face() -> None:
    optimizer = type("Long", (Fixed,), {"proposal": (-0.1, 1.7)})(2, seed=0, budget=1)
    assert optimizer.ask().tolist() == [0.0, 1.0]


def test_the_same_run_twice_in_a_group_is_refused() -> None:
    run = RandomSearch(2, seed=0, budget=3)
    with pytest.raises(ProtocolError, match="twice"):
        RandomSearch.ask_many([run, run])
    assert run.asked == 0


def test_a_refused_group_leaves_every_run_as_it_was() -> None:
    spent, fresh = RandomSearch(2, seed=0, budget=1), RandomSearch(2, seed=1, budget=5)
    spent.tell(spent.ask(), 1.0)
    with pytest.raises(BudgetExhaustedError):
        RandomSearch.ask_many([fresh, spent])
    assert fresh.asked == 0


def test_only_the_first_run_without_history_takes_the_start() -> None:
    runs = [RandomSearch(2, seed=seed, budget=5, start=[0.25, 0.75]) for seed in (0, 1)]
    runs[0].tell(runs[0].ask(), 0.0)
    first, second = RandomSearch.ask_many(runs)
    assert first.tolist() != [0.25, 0.75]
    assert second.tolist() == [0.25, 0.75]


def test_several_starts_come_one_after_the_other_and_may_be_pending_together() -> None:
    runs = [RandomSearch(2, seed=seed, budget=5, start=[[0.25, 0.75], [0.0, -0.0]]) for seed in (0, 1)]
    runs[0].ask()
    assert [x.tolist() for x in RandomSearch.ask_many(runs)] == [[0.0, 0.0], [0.25, 0.75]]
    first = RandomSearch(2, seed=0, budget=1).ask()
    assert runs[0].ask().tolist() == first.tolist()


def test_standard_errors_are_kept_in_the_order_of_the_scores() -> None:
    run = RandomSearch(2, seed=0, budget=3)
    x, z = run.ask(), run.ask()
    run.tell(z, 1.0, standard_error=0.1)
    run.tell(x, 2.0)
    assert np.array_equal(run.standard_errors, [0.1, np.nan], equal_nan=True)


def test_the_first_of_the_best_is_recommended() -> None:
    run = RandomSearch(1, seed=0, budget=4)
    for score in (np.nan, 2.0, 3.0, 3.0):
        run.tell(run.ask(), score)
    assert np.array_equal(run.recommend(), run.history[0][2])


def test_a_group_of_another_class_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="Fixed"):
        RandomSearch.ask_many([Fixed(2, seed=0, budget=1)])


def test_a_known_point_is_kept_as_it_was_and_takes_nothing_from_the_budget() -> None:
    run = RandomSearch(2, seed=0, budget=2)
    given = np.array([0.25, -0.0])
    run.tell(given, 3.0, standard_error=0.1, known=True)
    given[0] = 0.75
    assert (run.asked, run.pending) == (0, ())
    X, scores = run.history
    assert (X.tolist(), scores.tolist(), run.standard_errors.tolist()) == ([[0.25, 0.0]], [3.0], [0.1])
    run.tell(run.ask(), 1.0)
    assert run.known.tolist() == [True, False]
    assert run.recommend().tolist() == [0.25, 0.0]
    assert not run.recommend().flags.writeable


def test_a_pending_point_that_is_known_by_now_is_answered() -> None:
    run = RandomSearch(2, seed=0, budget=1)
    x = run.ask()
    run.tell(x, 1.0, known=True)
    assert (run.asked, run.pending, run.known.tolist()) == (1, (), [False])


@pytest.mark.parametrize("bad", [0.5, [0.5], [[0.5, 0.5], [0.2, 0.2]], [0.5, 1.1], {"x": 0.5, "y": 0.5}])
def test_what_is_no_point_cannot_be_known(bad) -> None:
    run = RandomSearch(2, seed=0, budget=1)
    with pytest.raises(InvalidSettingError, match="what is known"):
        run.tell(bad, 1.0, known=True)
    assert len(run.history[1]) == 0


@pytest.mark.parametrize("name", ["sobol", "random", "grid"])
def test_designs_take_no_notice_of_known_points(name: str) -> None:
    runs = [available()[name](2, seed=3, budget=9) for _ in range(2)]
    for t in range(9):
        runs[0].tell([0.1 * t, 0.5], 5.0, known=True)
        points = [run.ask() for run in runs]
        assert np.array_equal(*points)
        for run in runs:
            run.tell(points[0], float(t))


@pytest.mark.parametrize("score", ["0.5", "much", b"1", [1.0, 2.0], {}, object(), 1j, 10**400])
def test_a_score_that_is_no_number_is_refused(score: object) -> None:
    optimizer = RandomSearch(2, seed=0, budget=2)
    point = optimizer.ask()
    for told in ({"score": score}, {"score": 1.0, "standard_error": score}, {"score": 1.0, "margin": score}):
        with pytest.raises(InvalidSettingError, match="must be a number"):
            optimizer.tell(point, **told)
    with pytest.raises(InvalidSettingError, match="a point must be 2 numbers"):
        optimizer.tell([score, [0.5]], 1.0)
    optimizer.tell(point, 1.0)


def test_a_score_that_looks_like_a_violation_is_refused_beside_a_margin() -> None:
    """What violates the constraint by 0.2 was recommended before what is feasible at a score of -5."""
    optimizer = RandomSearch(2, seed=0, budget=2)
    point = optimizer.ask()
    with pytest.raises(InvalidSettingError, match=r"cannot be told a score of -5.0; add a constant to all scores"):
        optimizer.tell(point, -5.0, margin=0.1)
    optimizer.tell(point, 0.0, margin=0.1)
    optimizer.tell(optimizer.ask(), 3.0, margin=-0.2)
    assert np.array_equal(optimizer.recommend(), point)


def test_known_points_that_are_no_numbers_are_refused() -> None:
    for start in (["a", "b"], [[0.5], [0.5, 0.5]], [10**400, 0]):
        with pytest.raises(InvalidSettingError, match="start must be"):
            RandomSearch(2, seed=0, budget=2, start=start)
