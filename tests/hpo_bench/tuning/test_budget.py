"""What of a budget is held back for the end."""

from dataclasses import replace

import pytest

from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.budget import Budget, Closing
from hpo_bench.tuning.trial import Trial, TrialCost

WHOLE = TrialCost(merge_seconds=600.0, eval_seconds=3000.0, dollars=2.0)


def trial(number: int, cost: TrialCost, *, kind: str = "") -> Trial:
    known = Trial(
        number=number, setting=MergeSetting("ta", 0.1, 0.2), state="complete", asked_after=number, worker="worker-1",
        told_as=number, score=0.5, cost=cost,
    )  # fmt: skip
    return replace(known, state="failed", score=None, kind=kind) if kind else known


@pytest.mark.parametrize(
    ("kind", "cost"),
    [("nan-logits", TrialCost(merge_seconds=1.0)), ("timeout", TrialCost(eval_seconds=36000.0))],
)
def test_failures_do_not_change_what_is_held_back_for_merges_that_complete(kind: str, cost: TrialCost) -> None:
    budget = Budget(trials=100, hours=40.0, dollars=90.0, price=1.0, closing=Closing(merges=3, evaluations=3))
    good = [trial(0, WHOLE), trial(1, WHOLE)]
    held = budget.spent(good).held
    assert (held.hours, held.dollars) == (pytest.approx(3.0), pytest.approx(9.0))
    both = budget.spent([*good, *(trial(number, cost, kind=kind) for number in (2, 3, 4))])
    assert both.held == held
    assert both.hours == pytest.approx(2.0 + 3 * cost.seconds / 3600), "they are paid for all the same"
    alone = budget.spent([trial(0, cost, kind=kind)])
    assert alone.held.hours > 0, "until one completes there is nothing better to go by"
