"""Honest answers of a choice that used every example."""

from pathlib import Path

import numpy as np
import pytest
from tuning_toys import InlinePool, config

from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.outcome import honest
from hpo_bench.tuning.outcome.conclude import conclude
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.summary import sentences
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Job, Success, Trial, TrialCost

IDS = tuple(f"example-{i}" for i in range(100))


def trial(number: int, own: Answers) -> Trial:
    setting = MergeSetting("ta", 0.1 * number, 0.5)
    return Trial(number=number, setting=setting, state="complete", asked_after=0, worker="w", score=own.score)


def answers(scores: np.ndarray, categories: tuple[str, ...] = ("skill",) * 100) -> Answers:
    return Answers(IDS, categories, scores.astype(float), tuple(f"said {one:g}" for one in scores))


def test_folds_are_even_and_do_not_depend_on_the_order() -> None:
    folds = honest.folds_of(IDS)
    assert np.bincount(folds).tolist() == [20] * 5
    assert np.array_equal(honest.folds_of(IDS[::-1]), folds[::-1])


def test_luck_is_not_in_the_honest_score() -> None:
    rng, lucky, worth = np.random.default_rng(77), [], []
    for _ in range(40):
        said = [answers(rng.random(100) < 0.5) for _ in range(12)]
        trials = [trial(number, own) for number, own in enumerate(said)]
        found = honest.cross_fitted(trials, said, Goal(), honest.highest)
        lucky.append(max(own.score for own in said))
        worth.append(found.score)
        assert found.responses == tuple(f"said {one:g}" for one in found.scores)
    assert np.mean(lucky) > 0.56
    assert np.mean(worth) == pytest.approx(0.5, abs=0.03)


def test_what_must_be_kept_is_judged_without_each_fold_too() -> None:
    categories = ("skill", "general") * 50
    general = np.array([one == "general" for one in categories])
    base = answers(general.astype(float), categories)  # all of the general ones right
    greedy = answers(~general, categories)  # loses all of them
    modest = answers(general | (np.arange(100) < 50), categories)
    said = [greedy, modest]
    trials = [trial(number, own) for number, own in enumerate(said)]
    goal = Goal(Keep("general"), base)
    found = honest.cross_fitted(trials, said, goal, honest.highest)
    assert np.array_equal(found.scores, modest.scores)
    assert honest.cross_fitted(trials, said, Goal(), lambda known: known[0]).scores.sum() == greedy.scores.sum()


def test_nothing_that_a_trial_answered_is_evaluated_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    hardness = rng.random(len(IDS))

    def run(job: Job) -> Success:
        level = 0.8 - (job.setting.vl_weight - 0.5) ** 2 - (job.setting.exp_weight - 0.6) ** 2
        return Success({"validation": answers(hardness < level)}, "f", TrialCost(eval_seconds=1))

    store, pool = TrialStore(tmp_path, "s"), InlinePool(run=run)
    store.begin(config(examples=100, trials=6, optimizer="sobol"))
    settings = [MergeSetting("ta", vl, ex) for vl, ex in ((0.5, 0.6), (0.2, 0.2), (1.2, 0.1), (0.5, 0.5), (0.6, 0.9))]
    for place, setting in enumerate(settings):
        made = store.start(setting, asked_after=place, worker="w")
        store.finish(made, run(Job("", setting)), told_as=place)
    pool.poll(0)
    result = conclude(store, pool, Interrupt())
    assert {job.setting.vl_weight for job in pool.jobs} == {1.0, 0.0}, "base VLM and expert; the others were tried"
    assert all(job.splits == ("validation",) and job.tuned_on == 100 for job in pool.jobs)
    assert result.cross_fitted
    assert result.reproduced is None, "what is not asked again is not said to be the same"
    assert not any("did not answer as in its trial" in sentence for sentence in sentences(result))
    assert result.tuned_on == 100
    best, *others = result.merges
    assert best.test <= best.validation
    assert all(line.validation == line.test for line in others if line.name in ("base VLM", "half and half"))
    own = {one.setting: store.answers(one.number) for one in store.trials()}
    fold = honest.cross_fitted(store.trials(), list(own.values()), Goal(), honest.recommended(store.begun))
    base = answers(hardness < 0.8 - 0.25 - 0.36)
    line = next(one for one in others if one.name == "base VLM")
    assert line.behind == pytest.approx((fold.scores - base.scores).mean())
    assert TuningResult.read(tmp_path) == result


def test_few_examples_tell_less_apart() -> None:
    rng = np.random.default_rng(2)

    def resolved(count: int) -> float:
        scores = [rng.random(count) < 0.6 for _ in range(4)]
        said = [Answers(tuple(map(str, range(count))), ("skill",) * count, one.astype(float)) for one in scores]
        trials = [trial(number, own) for number, own in enumerate(said)]
        return honest.told_apart(trials[0], trials, said, Goal())

    assert resolved(1600) == pytest.approx(resolved(100) / 4, rel=0.15)
    alone = answers(np.ones(100))
    assert np.isnan(honest.told_apart(trial(0, alone), [trial(0, alone)], [alone], Goal()))
