"""What is said of a result."""

import pytest

from hpo_bench.tuning.budget import Budget
from hpo_bench.tuning.outcome.posterior import NearOptimal
from hpo_bench.tuning.outcome.result import ScoredMerge, TuningResult
from hpo_bench.tuning.outcome.summary import accounts, bill, sentences
from hpo_bench.tuning.progress import Overhead, StudyProgress
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.trial import TrialCost


def merge(name: str, validation: float, test: float) -> ScoredMerge:
    return ScoredMerge(
        name=name, setting={"method": "ta", "vl_weight": 0.5, "exp_weight": 0.8}, validation=validation, test=test,
        test_error=0.01, behind=0.0, behind_error=0.01, behind_validation=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("merges", "said"),
    [
        ((merge("recommended", 0.8, 0.75),), "scores, 0.800, is lucky: whatever is recommended is worth 0.750"),
        (
            (merge("recommended", 0.79, 0.77), merge("highest score", 0.8, 0.74)),
            "scores, 0.800, is lucky: whatever is highest is worth 0.740",
        ),
    ],
)
def test_what_the_highest_score_is_worth_is_said_of_what_was_scored(merges: tuple[ScoredMerge, ...], said: str) -> None:
    result = TuningResult(
        trials=5, recommended=1, mean=0.78, deviation=0.01, reproduced=None, merges=merges, near_optimal={},
        tuned_on=100, cross_fitted=True,
    )  # fmt: skip
    assert any(said in sentence for sentence in sentences(result))


@pytest.mark.parametrize(("trials", "said"), [(1, "1 trial in 0:05"), (2, "2 trials in 0:05")])
def test_one_trial_is_one(trials: int, said: str) -> None:
    told = accounts(StudyProgress(Budget(trials=trials), 1, overhead=Overhead(trials=trials)), 5.0)
    assert told.startswith(f"{said}, ")


def test_a_bill_of_a_small_budget_is_not_nothing() -> None:
    paid = Expenses(asked=TrialCost(eval_seconds=3.6))
    assert "Spent in all: 0.001 of 0.002 GPU-hours (" in bill(Budget(trials=1, hours=0.002), [], paid)
    assert "$0.0025 of $0.01 (" in bill(Budget(trials=1, dollars=0.01, price=2.5), [], paid)


def test_ends_of_small_hyperparameters_are_told_from_nothing() -> None:
    near = {"ta": NearOptimal(share=0.2, ranges={"vl_weight": (0.164, 0.88), "clip": (1.2e-5, 9.9e-4)}, within=0.01)}
    result = TuningResult(
        trials=5, recommended=1, mean=0.78, deviation=0.01, reproduced=None,
        merges=(merge("recommended", 0.8, 0.75),), near_optimal=near,
    )  # fmt: skip
    assert sentences(result)[-1].endswith("vl_weight 0.16 to 0.88, clip 0.00001 to 0.00099.")
