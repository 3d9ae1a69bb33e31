from pathlib import Path

import numpy as np
import pytest

from hpo_bench.errors import UsageError
from hpo_bench.tuning.planning.spending import ALIKE, MODELS, LossModel, plan_spending, told_apart


def test_loss_falls_with_settings_and_with_examples() -> None:
    model = LossModel(search=0.3, pace=2.0, luck=0.6)
    assert model.loss(8, 400) == pytest.approx(0.9)
    assert model.loss(12, 400) == pytest.approx(0.3 * np.exp(-2) + 0.6)
    assert model.loss(8, 1600) == pytest.approx(0.3 + 0.6 / 2)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("budget", [400, 6400, 100_000])
def test_plan_stays_within_the_budget_and_near_the_least_loss(dim: int, budget: int) -> None:
    plan = plan_spending(4000, dim=dim, evaluations=budget)
    assert plan.evaluations <= budget
    assert plan.examples <= 4000
    others = [MODELS[dim].loss(t, min(budget // t, 4000)) for t in range(5, budget // 20 + 1)]
    assert plan.expected_loss <= min(others) + ALIKE


def test_more_money_goes_into_examples_rather_than_settings() -> None:
    small, large = (plan_spending(100_000, evaluations=budget) for budget in (1600, 25_600))
    assert large.settings / small.settings < 4 < large.examples / small.examples


def test_dear_merges_make_fewer_of_them() -> None:
    cheap = plan_spending(4000, seconds=3600, example_seconds=0.5)
    dear = plan_spending(4000, seconds=3600, example_seconds=0.5, merge_seconds=200)
    assert dear.settings < cheap.settings
    assert dear.seconds <= 3600
    assert dear.seconds == pytest.approx(dear.settings * (200 + dear.examples * 0.5))


def test_dollars_count_device_and_judge() -> None:
    plan = plan_spending(4000, dollars=20, example_seconds=0.9, hourly=4.0, example_dollars=0.002)
    assert plan.dollars <= 20
    assert plan.dollars == pytest.approx(plan.evaluations * (0.9 / 3600 * 4 + 0.002))


def test_all_examples_and_no_more_settings_than_pay() -> None:
    plan = plan_spending(500, evaluations=1e9)
    assert plan.examples == 500
    assert plan.settings < 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one budget"),
        ({"evaluations": 100, "seconds": 5}, "one budget"),
        ({"seconds": 100}, "what an example takes"),
        ({"dollars": 100, "example_seconds": 1}, "hourly"),
        ({"evaluations": 99}, "do not buy 5 settings on 20 examples, which take 100"),
    ],
)
def test_what_makes_no_plan_is_said(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_spending(1000, **options)


def test_small_splits_tell_little_apart() -> None:
    assert told_apart(160) == pytest.approx(3.46, abs=0.01)
    assert told_apart(640) == pytest.approx(told_apart(160) / 2)


def test_the_page_says_by_which_models_plans_are_made() -> None:
    text = (Path(__file__).parents[4] / "docs" / "spending" / "spending.md").read_text(encoding="utf-8")
    for model in MODELS.values():
        formula = f"{model.search:.2f} exp((8 - settings) / {model.pace:.1f}) + {model.luck:.2f} (examples / 400)^-1/2"
        assert f"`tune` plans by {formula}" in text
