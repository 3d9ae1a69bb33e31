import cma
import numpy as np
import pytest

from optimizers import InvalidSettingError
from optimizers.cma_es import CmaEs


def drive(optimizer, objective):
    while optimizer.asked < optimizer.budget:
        x = optimizer.ask()
        optimizer.tell(x, objective(x))
    return optimizer.history


def spy(optimizer, monkeypatch):
    """Collects what pycma is told."""
    told = []
    tell = cma.CMAEvolutionStrategy.tell
    monkeypatch.setattr(
        cma.CMAEvolutionStrategy, "tell", lambda search, X, f: told.append((np.array(X), f)) or tell(search, X, f)
    )
    return told


def test_an_ellipsoid_is_solved_with_enough_evaluations() -> None:
    optimizer = CmaEs(3, seed=0, budget=400)
    _, scores = drive(optimizer, lambda x: -float(np.sum(np.array([1.0, 10.0, 50.0]) * (x - 0.37) ** 2)))
    assert scores.max() > -1e-4


def test_no_partial_generation_is_told(monkeypatch) -> None:
    optimizer = CmaEs(2, seed=0, budget=15, population=4)
    told = spy(optimizer, monkeypatch)
    drive(optimizer, lambda x: float(x[0]))
    assert [len(X) for X, _ in told] == [4, 4, 4]


def test_a_given_start_is_the_mean_and_no_member_of_a_generation(monkeypatch) -> None:
    optimizer = CmaEs(2, seed=0, budget=10, population=4, start=[0.2, 0.9])
    optimizer.tell(optimizer.ask(), 0.0)
    optimizer.tell(optimizer.ask(), 0.0)
    assert optimizer._search.mean.tolist() == pytest.approx([0.2, 0.9], abs=1e-6)
    told = spy(optimizer, monkeypatch)
    X, _ = drive(optimizer, lambda x: float(x[0]))
    assert X[0].tolist() == [0.2, 0.9]
    assert np.array_equal(told[0][0], X[1:5])


def test_the_best_of_several_starts_is_the_mean_and_a_failed_one_never() -> None:
    optimizer = CmaEs(2, seed=0, budget=10, start=[[0.2, 0.9], [0.6, 0.1], [0.3, 0.3]])
    for score in (1.0, 2.0, np.nan):
        optimizer.tell(optimizer.ask(), score)
    optimizer.ask()
    assert optimizer._search.mean.tolist() == pytest.approx([0.6, 0.1], abs=1e-6)


def test_the_best_known_point_is_the_mean_and_no_member_of_a_generation(monkeypatch) -> None:
    optimizer = CmaEs(2, seed=0, budget=8, population=4, start=[0.2, 0.9])
    optimizer.tell(optimizer.ask(), 0.0)
    told = spy(optimizer, monkeypatch)
    optimizer.tell([0.6, 0.1], 1.0, known=True)
    optimizer.ask()
    assert optimizer._search.mean.tolist() == pytest.approx([0.6, 0.1], abs=1e-6)
    optimizer.tell(optimizer.pending[0], 0.5)
    drive(optimizer, lambda x: float(x[0]))
    X = optimizer.history[0][~optimizer.known]
    assert np.array_equal(told[0][0], X[1:5])


def test_with_workers_a_generation_is_what_was_told_next_in_order(monkeypatch) -> None:
    optimizer = CmaEs(2, seed=0, budget=40, population=4)
    told = spy(optimizer, monkeypatch)
    waiting = [optimizer.ask() for _ in range(6)]
    while optimizer.asked < optimizer.budget:
        x = waiting.pop(3)
        optimizer.tell(x, -float(np.sum((x - 0.3) ** 2)))
        waiting.append(optimizer.ask())
    X, scores = optimizer.history
    assert len(told) == 8
    assert not optimizer.restarts
    assert np.array_equal(np.concatenate([points for points, _ in told]), X[:32])
    assert scores[-10:].mean() > scores[:10].mean()


def test_what_pycma_proposed_and_is_not_told_in_time_is_no_warning(recwarn) -> None:
    optimizer = CmaEs(2, seed=0, budget=60)
    while optimizer.asked < optimizer.budget:
        optimizer.ask()
        if len(optimizer.pending) == 6:
            for x in optimizer.pending[:2:-1]:
                optimizer.tell(x, -float(np.sum((x - 0.3) ** 2)))
    assert not [one for one in recwarn if one.category is cma.evolution_strategy.InjectionWarning]


def test_what_an_ended_search_left_pending_joins_no_generation(monkeypatch) -> None:
    optimizer = CmaEs(2, seed=0, budget=20, population=4)
    told = spy(optimizer, monkeypatch)
    waiting = [optimizer.ask() for _ in range(5)]
    for x in waiting[:4]:
        optimizer.tell(x, np.nan)
    waiting = [waiting[4], *(optimizer.ask() for _ in range(4))]
    assert [restart.reason for restart in optimizer.restarts] == ["a whole generation failed"]
    for score, x in enumerate(waiting):
        optimizer.tell(x, float(score))
    optimizer.ask()
    assert np.array_equal(told[0][0], waiting[1:])


def test_a_failure_ranks_last(monkeypatch) -> None:
    optimizer = CmaEs(2, seed=0, budget=5, population=4)
    told = spy(optimizer, monkeypatch)
    scores = iter([3.0, np.nan, 1.0, 2.0, 0.0])
    drive(optimizer, lambda _: next(scores))
    assert told[0][1] == [-3.0, -1.0, -1.0, -2.0]


def test_a_generation_that_fails_starts_over_elsewhere() -> None:
    optimizer = CmaEs(2, seed=0, budget=9, population=4)
    optimizer.tell(optimizer.ask(), np.nan)
    first = optimizer._search.mean
    drive(optimizer, lambda _: np.nan)
    assert [(r.evaluation, r.reason) for r in optimizer.restarts] == [
        (4, "a whole generation failed"),
        (8, "a whole generation failed"),
    ]
    assert np.abs(optimizer._search.mean - first).max() > 0.01


def test_a_flat_objective_leads_to_a_restart_with_pycmas_reason() -> None:
    optimizer = CmaEs(2, seed=0, budget=60)
    drive(optimizer, lambda _: 1.0)
    assert "pycma's tolfun" in {restart.reason for restart in optimizer.restarts}


@pytest.mark.parametrize("options", [{"sigma": 0.0}, {"sigma": 1.0}, {"population": 2}, {"population": 4.5}])
def test_bad_options(options) -> None:
    with pytest.raises(InvalidSettingError):
        CmaEs(2, seed=0, budget=5, **options)
