"""Two goals: the best score under a limit on what may be lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from tuning_toys import CATEGORIES, EXAMPLES, IDS, InlinePool, config
from two_goals import GENERAL, KEEP, abilities, answers, success, tune

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.budget import Budget
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.outcome.conclude import conclude
from hpo_bench.tuning.outcome.front import TradeOff, trade_offs
from hpo_bench.tuning.outcome.posterior import beliefs, near_optimal, recommend
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.summary import sentences
from hpo_bench.tuning.progress import StudyProgress
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.terminal import line
from hpo_bench.tuning.trial import Failure, Job, Success, Trial
from optimizers.gp_bo import GpBo
from optimizers.registry import get

TRIAL = Trial(number=0, setting=BASE, state="running", asked_after=0, worker="worker-1")


def goal() -> Goal:
    return Goal(KEEP, answers(BASE))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A SYNTHETIC study of twenty trials by constrained GP-BO, tuned and judged."""
    folder = tmp_path_factory.mktemp("tuning") / "kept"
    pool = InlinePool(run=success)
    tune(folder, pool, kind=GpBo, trials=20)
    Invocation("synthetic", ".", ("hpo-bench", "tune", "synthetic", "--keep", "general")).write(folder)
    store = TrialStore(folder, "kept")
    conclude(store, pool, Interrupt())
    return Study.open("kept", folder.parent)


def test_scores_are_those_of_the_other_examples_and_margins_are_paired() -> None:
    found = answers(MergeSetting("ta", 1.0, 0.5))
    noisy = Answers(found.ids, found.categories, found.scores + np.where(np.arange(EXAMPLES) % 4, 0.04, -0.04))
    judged = goal().judged(TRIAL, noisy)
    difference = (noisy.scores - answers(BASE).scores)[GENERAL]
    assert judged.score == pytest.approx(noisy.scores[~GENERAL].mean())
    assert judged.kept == pytest.approx(noisy.scores[GENERAL].mean())
    assert judged.margin == pytest.approx(difference.mean() + 0.1)
    assert judged.margin_error == pytest.approx(difference.std(ddof=1) / np.sqrt(len(difference)))
    plain = Goal().judged(TRIAL, noisy)
    assert (plain.score, plain.kept, plain.margin) == (pytest.approx(noisy.scores.mean()), None, None)


def test_exactly_as_much_as_is_allowed_may_be_lost() -> None:
    base = answers(BASE)
    for lost, margin in ((0.1, 0.0), (0.11, -0.01)):
        scores = np.where(GENERAL, base.scores - lost, base.scores)
        assert goal().judged(TRIAL, Answers(IDS, CATEGORIES, scores)).margin == pytest.approx(margin, abs=1e-12)
    assert (
        goal().judged(TRIAL, Answers(IDS, CATEGORIES, np.where(GENERAL, base.scores - 0.1, 0.0))).margin or 0.0
    ) >= 0.0


def test_goals_without_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="from 0 to 100 points"):
        Keep("general", -1.0)
    with pytest.raises(UsageError, match="needs the category"):
        Keep("")
    with pytest.raises(TuningError, match=r"to keep 'generl' .* there are: general \(30\), skill \(30\)"):
        Keep("generl").sides(answers(BASE))
    with pytest.raises(TuningError, match="base VLM was not evaluated"):
        Goal(KEEP).judged(TRIAL, answers(BASE))


def test_the_search_closes_in_on_the_best_that_keeps_enough(study: Study) -> None:
    trials = study.store.trials()
    found = max(trial.score or 0.0 for trial in trials if trial.feasible)
    skill, general = abilities(*np.meshgrid(*2 * [np.linspace(0.0, 1.4, 281)]))
    least = abilities(BASE.vl_weight, BASE.exp_weight)[1] - KEEP.allowed
    best = skill[general >= least].max()
    assert best - 0.01 < found <= best + 0.003
    assert max(trial.score or 0.0 for trial in trials) > best, "the search also learnt what is beyond the limit"
    chosen = recommend(beliefs(study.config, trials))
    assert chosen.trial.margin is not None
    assert chosen.trial.margin > -0.005
    assert (chosen.trial.score or 0.0) > best - 0.015
    near = near_optimal(study.config, beliefs(study.config, trials)[0])
    assert near is not None
    assert (abilities(*near.settings[near.inside].T)[1] > least - 0.02).all()


def test_killed_and_resumed_the_trace_is_the_same(study: Study, tmp_path: Path) -> None:
    class KillError(BaseException):
        pass

    jobs = iter(range(1000))

    def run(job: Job) -> Success:
        if next(jobs) in (6, 13):
            raise KillError
        return success(job)

    for _ in range(2):
        with pytest.raises(KillError):
            tune(tmp_path / "cut", InlinePool(run=run), kind=GpBo, trials=20)
    tune(tmp_path / "cut", InlinePool(run=run), kind=GpBo, trials=20)
    trace = [(t.number, t.setting, t.score, t.kept, t.margin) for t in TrialStore(tmp_path / "cut", "cut").trials()]
    assert trace == [(t.number, t.setting, t.score, t.kept, t.margin) for t in study.store.trials()]


def test_other_optimisers_are_told_the_feasible_first() -> None:
    keeper = get("random")(2, seed=0, budget=3)
    for score, margin in ((0.3, 0.0), (0.9, -0.2), (np.nan, np.nan)):
        keeper.tell(keeper.ask(), score, margin=margin, standard_error=0.1, margin_error=0.2)
    assert keeper.history[1] == pytest.approx([0.3, -0.2, np.nan], nan_ok=True)
    assert keeper.standard_errors == pytest.approx([0.1, 0.2, 0.1])


def test_points_are_proposed_while_others_are_pending_and_the_feasible_recommended() -> None:
    optimizer = GpBo(1, seed=0, budget=12)
    waiting = [optimizer.ask() for _ in range(3)]
    for _ in range(9):
        x = waiting.pop(0)
        # The score grows with x, and beyond 0.6 too much is lost; every fourth evaluation fails.
        score = np.nan if optimizer.asked % 4 == 0 else float(x[0])
        optimizer.tell(x, score, margin=np.nan if np.isnan(score) else 0.6 - float(x[0]))
        waiting.append(optimizer.ask())
    assert len({x.tobytes() for x in [*optimizer.history[0], *waiting]}) == 12
    assert optimizer.recommend()[0] == pytest.approx(0.6, abs=0.05)


def test_nothing_feasible_is_said_and_the_likeliest_recommended(tmp_path: Path) -> None:
    folder = tmp_path / "hard"

    def run(job: Job) -> Success | Failure:
        if job.name == "trial 2":
            return Failure("raised", "on purpose")
        found = success(job)
        if job.setting == BASE:
            return found
        worse = {s: replace(a, scores=np.where(GENERAL, a.scores - 0.4, a.scores)) for s, a in found.answers.items()}
        return replace(found, answers=worse)

    pool = InlinePool(run=run)
    tuner = tune(folder, pool, kind=GpBo, trials=8)
    assert tuner.progress.best == {}
    assert "best none yet" in line(tuner.progress, tuner.progress.finished[0])
    assert "too little" in line(tuner.progress, tuner.progress.finished[0])
    result = conclude(TrialStore(folder, "hard"), pool, Interrupt())
    complete = [trial for trial in tuner.progress.finished if trial.margin is not None]
    margins = {trial.number: trial.margin or 0.0 for trial in complete}
    assert margins[result.recommended] > np.median(list(margins.values()))
    told = " ".join(sentences(result))
    assert "no setting that was tried likely keeps that" in told
    assert "too much is lost" in told


def test_verdict_and_page_say_what_is_kept(study: Study) -> None:
    result = TuningResult.read(study.store.folder)
    assert result is not None
    assert result.keep == KEEP
    lines = {one.name: one.kept for one in result.merges}
    base, swapped = lines["base VLM"], lines["expert swapped in"]
    assert base is not None
    assert swapped is not None
    assert base.lost == 0.0
    assert swapped.lost == pytest.approx(0.9 - 0.5)
    assert any("Category general had to be kept" in sentence for sentence in sentences(result))
    for chance, said in ((0.999, "a chance of >99% to keep"), (0.001, "the best chance, <1%")):
        assert said in " ".join(sentences(replace(result, chance=chance))), "nothing is certain"
    page = study.write_report().read_text(encoding="utf-8")
    assert "below the VLM" in page
    assert "general, test" in page
    assert "What keeping costs" in page


def test_front_holds_what_no_trial_beats_in_both_goals(study: Study) -> None:
    found = trade_offs(beliefs(study.config, study.store.trials()))
    assert [choice.kept for choice in found] == sorted((choice.kept for choice in found), reverse=True)
    assert len(found) == 20

    def beaten(one: TradeOff) -> bool:
        return any(
            other.score >= one.score and other.kept >= one.kept and (other.score, other.kept) != (one.score, one.kept)
            for other in found
        )

    assert [choice.best for choice in found] == [not beaten(choice) for choice in found]
    assert 1 < sum(choice.best for choice in found) < 20
    # Without noise, posterior means are about what was measured.
    assert all(choice.kept == pytest.approx(choice.trial.kept, abs=0.05) for choice in found)


def test_without_an_ability_to_keep_there_is_no_front(tmp_path: Path) -> None:
    store = TrialStore(tmp_path, "plain")
    plain = store.begin(config())
    for index in range(4):
        setting = MergeSetting("ta", 0.2 * index, 0.5)
        running = store.start(setting, asked_after=index, worker="w")
        store.finish(running, success(Job(f"trial {index}", setting)), told_as=index)
    assert trade_offs(beliefs(plain, store.trials())) == []


def test_optuna_knows_which_trials_keep_enough(study: Study) -> None:
    stored = optuna.load_study(study_name="kept", storage=study.store.url)
    violations = [trial.system_attrs["constraints"] for trial in stored.trials]
    assert [value[0] <= 0 for value in violations] == [trial.feasible for trial in study.store.trials()]


def test_best_so_far_is_among_those_that_keep_enough(study: Study) -> None:
    progress = StudyProgress(Budget(trials=20), 1)
    for trial in study.store.trials():
        progress.put(trial)
    kept = [trial.score for trial in study.store.trials() if trial.feasible and trial.score is not None]
    assert progress.highest == max(kept)
    assert progress.least == pytest.approx(0.8)
