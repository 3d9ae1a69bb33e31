"""Two ways to deal with points that other workers are still evaluating."""

import numpy as np
import pytest

from hpo_bench.experiments import pending
from hpo_bench.experiments.pending import (
    JOINT,
    NOISY_JOINT,
    OURS,
    PendingRace,
    ProblemGroup,
    groups,
    measure,
    overall,
    page,
    race,
)


@pytest.fixture(scope="module")
def made() -> list[ProblemGroup]:
    return groups(functions=1)[:1]


@pytest.mark.parametrize("arm", [JOINT, NOISY_JOINT], ids=lambda arm: arm.name)
def test_with_one_worker_nothing_is_pending_and_both_ways_are_one(
    arm: pending.Proposer, made: list[ProblemGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "BUDGET", 8)
    monkeypatch.setattr(pending, "SINCE", 5)
    problem = made[0].problems[0]
    ours, other = (race(kind, problem, workers=1, noisy=False) for kind in (OURS.kind, arm.kind))
    assert np.array_equal(ours.regret, other.regret)


def test_both_ways_are_measured_on_the_same_and_the_page_says_what_came_of_it(
    made: list[ProblemGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "SAMPLES", 8)
    monkeypatch.setattr(pending, "BUDGET", 14)
    found = measure(made, workers=(8,))
    assert list(found) == [("functions", 8, "believer"), ("functions", 8, "qLogEI")]
    assert measure(made, workers=(8,))["functions", 8, "qLogEI"][0].regret.tolist() == (
        found["functions", 8, "qLogEI"][0].regret.tolist()
    )
    text = "\n".join(one if isinstance(one, str) else one.to_markdown() for one in page(found))
    assert "| functions | 8 | qLogEI |" in text


def test_a_problem_counts_once_whatever_the_workers() -> None:
    def races(level: float) -> list[PendingRace]:
        return [PendingRace(np.full(3, level + 0.01 * place), 0.0) for place in range(4)]

    found = {
        (group, workers, arm): races(0.1 + (arm != "believer") * shift)
        for group, shift in (("functions", 0.01), ("functions, noisy", 0.03))
        for workers in (2, 4)
        for arm in ("believer", "other")
    }
    gap = overall(found, "functions, noisy")
    assert (gap.value, gap.low, gap.high) == pytest.approx((3.0, 3.0, 3.0))
