"""Answers that do not follow the weights are noticed, and those that rightly are alike are not."""

import numpy as np
import pytest
import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.staleness import ENOUGH, Repetition, unchanged_weights
from hpo_bench.merging.setting import MergeSetting

FAR_APART = [MergeSetting("ta", 0.1 + 0.3 * i, 0.9 - 0.3 * i) for i in range(3)]


def answers(count: int, *, said: str = "", constant: bool = False) -> Answers:
    ids = tuple(f"e{i}" for i in range(count))
    scores = np.zeros(count) if constant else np.arange(count) % 2.0
    return Answers(ids, ids, scores, tuple(f"{said}{i % 2}" for i in range(count)) if said else ())


@pytest.mark.parametrize("given", [answers(20, said="a"), answers(ENOUGH)], ids=["texts", "many scores"])
def test_the_second_of_equal_answers_is_noted_and_the_third_refused(given: Answers) -> None:
    seen = Repetition()
    assert seen.see(FAR_APART[0], given) == ""
    assert "2 different merges gave all" in seen.see(FAR_APART[1], given)
    with pytest.raises(EvaluationError, match="3 different merges") as caught:
        seen.see(FAR_APART[2], given)
    assert caught.value.kind == "stale"


def test_few_scores_are_noted_alone() -> None:
    seen = Repetition()
    assert [bool(seen.see(setting, answers(20))) for setting in FAR_APART] == [False, True, True]


def test_what_may_well_be_alike_is_not_suspicious() -> None:
    seen = Repetition()
    for i in range(5):  # neighbours, as a search asks about at its end
        assert seen.see(MergeSetting("ta", 0.5 + 0.01 * i, 0.5), answers(20, said="a")) == ""
    for setting in FAR_APART:  # broken merges that say nothing, or are always wrong
        assert seen.see(setting, answers(200, constant=True)) == ""
    for i, setting in enumerate(FAR_APART):
        assert seen.see(setting, answers(20, said="xyz"[i])) == ""


def test_an_evaluator_that_changes_the_model_gives_no_score() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    with unchanged_weights(model):
        model(torch.ones(1, 4))
    with (
        pytest.raises(EvaluationError, match=r"changed the merged model's weights \(0.weight\)") as caught,
        unchanged_weights(model),
    ):
        model[0].weight.data.mul_(2)
    assert caught.value.kind == "stale"
    with unchanged_weights(object()):
        pass
