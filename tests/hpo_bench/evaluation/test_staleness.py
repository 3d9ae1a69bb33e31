"""Answers that do not follow the weights are noticed, and those that rightly are alike are not."""

import numpy as np
import pandas as pd
import pytest
import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.staleness import REPEATED, Repetition, unchanged_weights
from hpo_bench.evaluation.trusted import answers_of
from hpo_bench.merging.setting import MergeSetting
from landscapes.catalogue import ROOT

FAR_APART = [MergeSetting("ta", 0.1 + 0.3 * i, 0.9 - 0.3 * i) for i in range(3)]


def answers(count: int, *, said: str = "", constant: bool = False) -> Answers:
    ids = tuple(f"e{i}" for i in range(count))
    scores = np.zeros(count) if constant else np.arange(count) % 2.0
    return Answers(ids, ids, scores, tuple(f"{said}{i % 2}" for i in range(count)) if said else ())


@pytest.mark.parametrize(
    "given",
    [
        answers(REPEATED // 2),
        answers(REPEATED // 2, said="a"),
        answers(20, said="a text of so many letters, and some more "),
    ],
    ids=["scores", "words", "texts"],
)
def test_the_second_of_equal_answers_is_noted_and_the_third_refused(given: Answers) -> None:
    seen = Repetition()
    assert seen.see(FAR_APART[0], given) == ""
    assert "2 different merges in a row gave all" in seen.see(FAR_APART[1], given)
    with pytest.raises(EvaluationError, match="3 different merges in a row") as caught:
        seen.see(FAR_APART[2], given)
    assert caught.value.kind == "stale"


@pytest.mark.parametrize("said", ["", "a"])
def test_few_answers_are_noted_alone(said: str) -> None:
    seen = Repetition()
    assert [bool(seen.see(setting, answers(20, said=said))) for setting in FAR_APART] == [False, True, True]


def test_of_weights_that_are_proven_many_equal_answers_are_told_and_nothing_is_refused() -> None:
    seen = Repetition()
    assert [seen.see(setting, answers(20), proven=True) for setting in FAR_APART] == ["", "", ""]
    told = [seen.see(setting, answers(REPEATED), proven=True) for setting in FAR_APART]
    assert [bool(one) for one in told] == [False, True, True]


def test_what_may_well_be_alike_is_not_suspicious() -> None:
    seen = Repetition()
    for i in range(5):  # neighbours, as a search asks about at its end
        assert seen.see(MergeSetting("ta", 0.5 + 0.01 * i, 0.5), answers(20, said="a")) == ""
    for i in range(4):
        setting = MergeSetting("ties", 0.5, 0.5, 0.2 + 0.2 * i)
        assert seen.see(setting, answers(21, said="a")) == ""
    for setting in FAR_APART:  # broken merges that say nothing, or are always wrong
        assert seen.see(setting, answers(200, constant=True)) == ""
    for i, setting in enumerate(FAR_APART):
        assert seen.see(setting, answers(20, said="xyz"[i])) == ""
    for i, setting in enumerate([*FAR_APART, *FAR_APART]):  # between them somebody answered otherwise
        assert seen.see(setting, answers(REPEATED, said="ab"[i % 2])) == ""


def test_recorded_merges_are_next_to_never_refused() -> None:
    rng, studies, refused = np.random.default_rng(0), 0, 0
    for folder in [*sorted(ROOT.glob("*/ta"))[::4], ROOT / "ja-llama" / "ties"]:
        method = folder.name
        recorded = pd.read_parquet(folder / "outcomes.parquet")
        recorded = recorded[recorded["split"] == "validation"]
        where = [name for name in ("vl_weight", "exp_weight", "density") if name in recorded]
        table = recorded.pivot_table(index=where, columns="id", values="correct")
        settings = [MergeSetting(method, *values) for values in table.index]
        for asked in (100, 200):
            for _ in range(5):
                columns = rng.choice(table.shape[1], asked, replace=False)
                ids, scores = tuple(table.columns[columns]), table.to_numpy(float)[:, columns]
                seen, studies = Repetition(), studies + 1
                try:
                    # As a grid is recorded, where the density changes first; or as a search goes about.
                    order = range(len(settings)) if method == "ties" else rng.permutation(len(settings))
                    for place in order:
                        seen.see(settings[place], Answers(ids, ids, scores[place]))
                except EvaluationError:
                    refused += 1
    assert studies >= 40
    assert refused <= 0.01 * studies


class Keeper:
    """Scores the first model that it sees, and says so of all others."""

    def __init__(self) -> None:
        self.told: list[MergeSetting] = []

    def inform(self, setting: MergeSetting) -> None:
        self.told.append(setting)

    def evaluate(self, model: torch.nn.Module, examples: list) -> Answers:
        with torch.no_grad():
            next(model.parameters()).mul_(2)
        return Answers((), (), np.zeros(0))


def test_an_evaluator_that_changes_the_model_gives_no_score() -> None:
    model, keeper = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)), Keeper()
    with unchanged_weights(model):
        model(torch.ones(1, 4))
    with pytest.raises(EvaluationError, match=r"changed the merged model's weights \(0.weight\)") as caught:
        answers_of(model, keeper, [], merge=FAR_APART[0])
    assert caught.value.kind == "stale"
    assert keeper.told == FAR_APART[:1]
    with unchanged_weights(object()):
        pass
