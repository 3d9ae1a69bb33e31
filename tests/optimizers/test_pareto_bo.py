"""The search for the whole front of two goals."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated

from hpo_bench.statistics.intervals import of_mean
from optimizers import Optimizer, available, get, pareto_bo
from optimizers.conformance import global_state_is_left_alone, workers_replay
from optimizers.gp.acquisition import Effort
from optimizers.gp_bo import GpBo
from optimizers.pareto_bo import ParetoBo
from optimizers.sobol import Sobol

ONE, OTHER = np.array([0.3, 0.3]), np.array([0.75, 0.6])


def goals(x: np.ndarray) -> tuple[float, float]:
    """Synthetic: two hills; the front is what lies on the line between their tops."""
    return float(np.exp(-3 * np.sum((x - ONE) ** 2))), float(np.exp(-3 * np.sum((x - OTHER) ** 2)))


def hypervolume(points: np.ndarray) -> float:
    found = torch.tensor([goals(x) for x in points], dtype=torch.double)
    return Hypervolume(torch.zeros(2, dtype=torch.double)).compute(found[is_non_dominated(found)])


def drive(optimizer: Optimizer, trials: int, *, scale: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    for _ in range(trials):
        x = optimizer.ask()
        one, other = goals(x)
        optimizer.tell(x, scale[0] * one, margin=scale[1] * (other - 0.5))
    return optimizer.history[0]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of little effort, where it does not matter how good the points are."""
    monkeypatch.setattr(pareto_bo, "EFFORT", Effort(uniform=40, near=20, lineages=2, cloud=5, radii=(0.03, 0.003)))
    monkeypatch.setattr(pareto_bo, "SAMPLES", 8)


@pytest.fixture(scope="module")
def runs() -> list[np.ndarray]:
    """The points of three seeds."""
    return [drive(ParetoBo(2, seed=seed, budget=11), 11) for seed in range(3)]


def test_of_the_front_it_finds_more_than_sobol_in_as_many_trials(runs: list[np.ndarray]) -> None:
    """Hypervolume from 0 in both goals, as a share of all there is."""
    line = np.linspace(0.0, 1.0, 401)[:, None]
    most = hypervolume(ONE + line * (OTHER - ONE))
    shares = np.array([hypervolume(X) / most for X in runs])
    even = np.array([hypervolume(drive(Sobol(2, seed=seed, budget=11), 11)) / most for seed in range(3)])
    assert of_mean(shares - even).low > 0.01
    assert shares.min() > 0.9


def test_both_ends_of_the_front_are_looked_for(runs: list[np.ndarray]) -> None:
    """The highest of either goal is 1."""
    for X in runs:
        assert np.max([goals(x) for x in X], axis=0).min() > 0.88


def test_without_a_second_goal_it_is_gp_bo() -> None:
    runs = [kind(2, seed=3, budget=9) for kind in (ParetoBo, GpBo)]
    for optimizer in runs:
        for _ in range(9):
            x = optimizer.ask()
            optimizer.tell(x, goals(x)[0])
    assert np.array_equal(runs[0].history[0], runs[1].history[0])


class TwoGoals(ParetoBo):
    """Tells itself a second goal wherever none is told, so that the conformance suite searches a front."""

    def tell(self, x, score, *, margin=None, **options):
        told = np.nan if np.isnan(score) else -float(np.sum((np.asarray(x) - 0.7) ** 2))
        super().tell(x, score, margin=told if margin is None else margin, **options)


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("check", [workers_replay, global_state_is_left_alone])
def test_it_conforms(check: Callable[[type[Optimizer]], None]) -> None:
    check(TwoGoals)


@pytest.mark.usefixtures("cheap")
def test_what_is_told_again_leads_to_the_same_points_in_any_units_beside_constants() -> None:
    first = drive(ParetoBo(2, seed=1, budget=9), 9)
    scaled = drive(ParetoBo(2, seed=1, budget=9), 9, scale=(2.0**40, 2.0**-20))
    assert np.array_equal(first, scaled)
    flat = drive(ParetoBo(2, seed=1, budget=8), 8, scale=(0.0, 1.0))
    assert np.isfinite(flat).all()
    assert len(np.unique(flat, axis=0)) == 8


@pytest.mark.usefixtures("cheap")
def test_points_that_are_pending_are_left_to_those_who_evaluate_them() -> None:
    optimizer = ParetoBo(2, seed=2, budget=20)
    drive(optimizer, 8)
    waiting = np.array([optimizer.ask() for _ in range(4)])
    gaps = np.linalg.norm(waiting[:, None] - waiting[None], axis=2)[~np.eye(4, dtype=bool)]
    assert gaps.min() > 0.02


def test_it_is_named_among_those_for_two_goals_alone() -> None:
    assert get("pareto-bo") is ParetoBo
    assert "pareto-bo" not in available()
    assert list(available(goals=2)) == ["sobol", "random", "grid", "pareto-bo"]
