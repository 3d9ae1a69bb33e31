"""The loop: budgets, resuming, failures, workers."""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from tuning_toys import InlinePool, answers, config, success, tuner

from hpo_bench.display.console import PlainConsole
from hpo_bench.errors import ResultsError, TuningError
from hpo_bench.experiments.pending import Believer
from hpo_bench.statistics.examples import Z95, error_of_mean
from hpo_bench.tuning.budget import Budget
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.loop import Ending
from hpo_bench.tuning.race import Race, describe
from hpo_bench.tuning.run import planned
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.terminal import screen
from hpo_bench.tuning.trial import Failure, Job, Success, Trial, TrialCost
from optimizers.gp_bo import GpBo
from optimizers.registry import get


class KillError(BaseException):
    """Nothing of ours catches it: as good as a kill."""


def tune(
    folder: Path,
    pool: InlinePool,
    *,
    trials: int = 12,
    study: StudyConfig | None = None,
    **options: object,
) -> tuple[Ending, list[Trial]]:
    store = TrialStore(folder, "study")
    known = store.config or store.begin(study or config())
    budget = options.pop("budget", None) or Budget(trials=trials)
    plan = planned(store, budget)
    race = Race.of(known, get(known.optimizer), budget=plan)
    made = tuner(store, race, trials=trials, pool=pool, budget=budget, **options)
    store.plan(plan)
    ending = made.run()
    return ending, store.trials()


def traces(trials: Sequence[Trial]) -> list[tuple]:
    return [(t.number, t.setting, t.state, t.score, t.told_as, t.fingerprint, t.kind) for t in trials]


def failing(kinds: dict[str, str]) -> Callable[[Job], Success | Failure]:
    return lambda job: Failure(kinds[job.name], "on purpose") if job.name in kinds else success(job)


def test_budget_of_trials_is_spent_exactly(tmp_path: Path) -> None:
    ending, trials = tune(tmp_path, InlinePool(), trials=7)
    assert ending == "budget"
    assert [trial.number for trial in trials] == list(range(7))
    assert {trial.state for trial in trials} == {"complete"}


@pytest.mark.parametrize("optimizer", ["gp-bo", "powell"])
@pytest.mark.parametrize("kill", ["merging", "storing"])
def test_killed_anywhere_and_resumed_the_trace_is_the_same(
    tmp_path: Path, optimizer: str, kill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = config(optimizer=optimizer, optimizer_version=get(optimizer).version)
    failures = {"trial 3": "raised"}
    _, whole = tune(tmp_path / "whole", InlinePool(run=failing(failures)), study=study)
    done = []
    for attempt in range(100):
        with monkeypatch.context() as patched:
            calls = iter(range(100))
            fatal = 1 + attempt % 3

            def strike(calls=calls, fatal=fatal) -> None:
                if next(calls) == fatal:
                    raise KillError

            def run(job: Job) -> Success | Failure:
                if kill == "merging":
                    strike()
                done.append(job.name)
                return failing(failures)(job)

            if kill == "storing":
                keep = TrialStore._keep

                def finish(self, *arguments, keep=keep):
                    strike()
                    return keep(self, *arguments)

                patched.setattr(TrialStore, "_keep", finish)
            try:
                _, trials = tune(tmp_path / "cut", InlinePool(run=run), study=study)
                break
            except KillError:
                continue
    assert attempt >= 3
    assert traces(trials) == traces(whole)
    if kill == "merging":
        assert len(done) == len(set(done)) == 12, "a trial that had finished was made again"


def test_interleaved_workers_resume_to_the_same_proposals(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)

    def pick(busy: Sequence[str]) -> str:
        return busy[int(rng.integers(len(busy)))]

    study = config(optimizer="gp-bo", optimizer_version=get("gp-bo").version)
    calls = iter(range(100))

    def run(job: Job) -> Success:
        if next(calls) == 7:
            raise KillError
        return success(job)

    with pytest.raises(KillError):
        tune(tmp_path, InlinePool(3, run, pick), study=study)
    before = TrialStore(tmp_path, "study").trials()
    running = [trial for trial in before if trial.state == "running"]
    assert len(running) == 3
    pool = InlinePool(3, pick=pick)
    _, after = tune(tmp_path, pool, study=study)
    assert [job.name for job in pool.jobs[:3]] == [f"trial {trial.number}" for trial in running]
    assert [trial.setting for trial in after[: len(before)]] == [trial.setting for trial in before]
    assert len(after) == 12
    assert sorted(trial.told_as for trial in after if trial.told_as is not None) == list(range(12))


def test_failures_are_no_scores_and_are_told(tmp_path: Path) -> None:
    _, trials = tune(tmp_path, InlinePool(run=failing({"trial 2": "nan-logits", "trial 5": "judge"})), trials=8)
    assert [trial.kind for trial in trials if trial.state == "failed"] == ["nan-logits", "judge"]
    assert all(trial.score is None and trial.standard_error is None for trial in trials if trial.state == "failed")
    assert (tmp_path / trials[2].log).read_text().count("on purpose") == 1


def test_failures_in_a_row_stop_with_advice_and_the_same_command_goes_on(tmp_path: Path) -> None:
    broken = {f"trial {i}": "out-of-memory" for i in range(2, 6)}
    with pytest.raises(TuningError, match=r"4 trials in a row failed.*lower `batch_size`.*trial-0005\.log"):
        tune(tmp_path, InlinePool(run=failing(broken)), patience=4)
    with pytest.raises(TuningError, match="a trial failed at ta 0"):
        tune(tmp_path / "one", InlinePool(run=failing(broken)), patience=1)
    _, trials = tune(tmp_path, InlinePool(), patience=4)
    assert [trial.state for trial in trials].count("complete") == 8
    assert len(trials) == 12


def test_a_dead_worker_s_trial_is_given_to_another(tmp_path: Path) -> None:
    deaths = {"trial 1": 2, "trial 4": 3}

    def run(job: Job) -> Success | Failure:
        if deaths.get(job.name, 0):
            deaths[job.name] -= 1
            return Failure("worker-died", "killed")
        return success(job)

    pool = InlinePool(2, run)
    _, trials = tune(tmp_path, pool, trials=6)
    assert [trial.state for trial in trials] == ["complete"] * 4 + ["failed", "complete"]
    assert trials[4].kind == "worker-died"
    assert [job.name for job in pool.jobs].count("trial 1") == 3
    assert len(trials) == 6


def test_what_workers_took_that_died_counts_towards_the_budget(tmp_path: Path) -> None:
    hour, tries = TrialCost(eval_seconds=3600.0), Counter[str]()

    def run(job: Job) -> Success | Failure:
        tries[job.name] += 1
        if tries[job.name] == 1:
            return Failure("worker-died", "killed", "", hour)
        return Success(success(job).answers, "", hour)

    _, trials = tune(tmp_path, InlinePool(run=run), budget=Budget(trials=100, hours=6.0))
    assert [trial.cost.eval_seconds for trial in trials] == [7200.0] * 3
    assert tries.total() == 6


def test_what_a_kill_ended_counts_towards_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("hpo_bench.tuning.loop.time", SimpleNamespace(monotonic=lambda: now[0]))

    def run(job: Job) -> Success:
        if job.name == "trial 1":
            seen.extend(TrialStore(tmp_path, "study").trials())
            now[0] += 10.0
            raise KillError
        now[0] += 3600.0
        return Success(success(job).answers, "", TrialCost(eval_seconds=3600.0))

    seen = list[Trial]()
    budget = Budget(trials=100, hours=6.0)
    with pytest.raises(KillError):
        tune(tmp_path, InlinePool(2, run), budget=budget)
    taken = {trial.number: trial.cost.seconds for trial in seen if trial.state == "running"}
    assert taken == {1: 3600.0, 2: 0.0}, "stored while it ran, so that no kill takes it away"
    _, trials = tune(tmp_path, InlinePool(1, run=lambda job: success(job) if job.name == "trial 1" else run(job)))
    assert [trial.cost.seconds for trial in trials[:3]] == [3600.0, 3610.0 + 3.0, 3600.0 + 10.0]


def test_no_worker_is_idle_while_there_is_budget(tmp_path: Path) -> None:
    pool = InlinePool(3)
    idle: list[int] = []
    poll = pool.poll

    def watched(timeout: float):
        if len(pool.jobs) < 12 and not pool._opening:
            idle.append(len(pool.idle))
        return poll(timeout)

    pool.poll = watched
    tune(tmp_path, pool, study=config(optimizer="gp-bo", optimizer_version=get("gp-bo").version))
    assert set(idle) == {0}


def test_hours_and_dollars_end_before_they_are_overspent(tmp_path: Path) -> None:
    # A toy trial takes three seconds.
    _, by_time = tune(tmp_path / "hours", InlinePool(), budget=Budget(trials=50, hours=10 / 3600))
    _, by_money = tune(tmp_path / "money", InlinePool(2), budget=Budget(trials=50, dollars=14.0, price=3600.0))
    assert len(by_time) == 3
    assert len(by_money) == 4


def test_a_raised_budget_goes_on_where_the_smaller_one_ended(tmp_path: Path) -> None:
    study = config(optimizer="gp-bo", optimizer_version=get("gp-bo").version)
    tune(tmp_path / "a", InlinePool(), trials=6, study=study)
    _, more = tune(tmp_path / "a", InlinePool(), trials=9, study=study)
    _, whole = tune(tmp_path / "b", InlinePool(), trials=9, study=study)
    assert traces(more) == traces(whole)


def test_one_interrupt_ends_after_the_running_trial_and_two_at_once(tmp_path: Path) -> None:
    with Interrupt() as interrupt:

        def run(job: Job) -> Success:
            if job.name == "trial 2":
                signal.raise_signal(signal.SIGINT)
            return success(job)

        ending, trials = tune(tmp_path, InlinePool(run=run), interrupt=interrupt)
        assert ending == "interrupted"
        assert [trial.state for trial in trials] == ["complete"] * 3
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("optimizer", ["gp-bo", "grid", "cma-es"])
def test_after_a_kill_fewer_trials_may_be_asked_for(tmp_path: Path, optimizer: str) -> None:
    calls = iter(range(100))

    def run(job: Job) -> Success:
        if next(calls) == 6:
            raise KillError
        return success(job)

    study = config(optimizer=optimizer, optimizer_version=get(optimizer).version)
    with pytest.raises(KillError):
        tune(tmp_path, InlinePool(run=run), trials=16, study=study)
    ending, fewer = tune(tmp_path, InlinePool(), trials=4)
    assert (ending, [trial.state for trial in fewer]) == ("budget", ["complete"] * 6 + ["running"])
    _, seven = tune(tmp_path, InlinePool(), trials=7)
    assert [trial.state for trial in seven] == ["complete"] * 7
    _, whole = tune(tmp_path / "whole", InlinePool(), trials=16, study=study)
    _, all_of_it = tune(tmp_path, InlinePool(), trials=16)
    assert traces(all_of_it) == traces(whole)


def test_trials_that_others_add_change_nothing(tmp_path: Path) -> None:
    study = config(optimizer="gp-bo", optimizer_version=get("gp-bo").version)
    tune(tmp_path / "a", InlinePool(), trials=5, study=study)
    theirs = optuna.load_study(study_name="study", storage=TrialStore(tmp_path / "a", "study").url)
    theirs.enqueue_trial({"vl_weight": 1.0})
    theirs.add_trial(optuna.trial.create_trial(value=0.999))
    _, more = tune(tmp_path / "a", InlinePool(), trials=8)
    _, whole = tune(tmp_path / "b", InlinePool(), trials=8, study=study)
    assert [trial.number for trial in more] == [0, 1, 2, 3, 4, 7, 8, 9]
    assert [trace[1:6] for trace in traces(more)] == [trace[1:6] for trace in traces(whole)]


def test_no_setting_is_cut_off_in_eighty_columns(tmp_path: Path) -> None:
    console = PlainConsole(file=StringIO(), force_terminal=True, width=80)
    failure = failing({"trial 1": "raised"})
    with screen(console, "toy") as shown:
        _, trials = tune(tmp_path, InlinePool(run=failure), trials=3, study=config(methods=("dare",)), screen=shown)
    printed = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert all(describe(trial.setting) in printed for trial in trials)
    assert "evaluation" in printed


@pytest.mark.parametrize("text", ["half of \ud800 a letter", "x" * 5_000_000, "[/red] [b] \x1b[2J", "two\nlines"])
def test_no_error_text_ends_the_tuner_or_floods_the_terminal(tmp_path: Path, text: str) -> None:
    def run(job: Job) -> Success | Failure:
        return Failure("raised", text, text * 2) if job.name == "trial 1" else success(job)

    for terminal in (True, False):
        console = PlainConsole(file=StringIO(), force_terminal=terminal, width=100)
        with screen(console, "[/pair] tuned") as shown:
            _, trials = tune(tmp_path / str(terminal), InlinePool(run=run), trials=3, screen=shown)
        assert trials[1].state == "failed"
        assert len(trials[1].reason) < 400
        assert "\n" not in trials[1].reason
        assert (tmp_path / str(terminal) / trials[1].log).stat().st_size < 300_000
        printed = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
        assert "[/pair] tuned" in printed
        scores = answers(trials[0].setting).scores
        assert f"{scores.mean():.3f} ± {Z95 * error_of_mean(scores):.3f}" in printed, "half of its 95% interval"
        assert "\x1b[2J" not in printed
        assert len(printed) < 20_000


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"cannot write .*trial-0003.log"):
        tune(tmp_path, InlinePool(run=failing({"trial 3": "raised"})))


def test_another_optimiser_s_trace_is_refused(tmp_path: Path) -> None:
    tune(tmp_path, InlinePool(), trials=5)
    store = TrialStore(tmp_path, "study")
    race = Race.of(config(seed=1), get("random"), budget=12)
    with pytest.raises(TuningError, match=r"trial 0 was proposed at ta .* now proposes ta"):
        tuner(store, race, trials=12)


def test_with_several_workers_a_study_begun_by_the_kriging_believer_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As GP-BO was before it took BoTorch's way with pending points; with one worker nothing was ever pending."""
    study = config(optimizer="gp-bo", optimizer_version=GpBo.version)
    with monkeypatch.context() as before:
        before.setattr(sys.modules[__name__], "get", lambda _: Believer)
        _, one = tune(tmp_path / "one", InlinePool(), trials=5, study=study)
        _, three = tune(tmp_path / "three", InlinePool(3), trials=8, study=study)
    assert traces(tune(tmp_path / "one", InlinePool(), trials=6)[1][:5]) == traces(one)
    with pytest.raises(TuningError, match=r"trial \d was proposed .*another version of it.*with --study$"):
        tune(tmp_path / "three", InlinePool(3), trials=9)
    assert TrialStore(tmp_path / "three", "study").trials() == three


def test_deleted_trials_are_noticed(tmp_path: Path) -> None:
    store = TrialStore(tmp_path, "study")
    store.begin(config())
    race = Race.of(config(), get("random"), budget=5)
    setting = race.ask()
    assert setting is not None
    trial = store.start(setting, asked_after=1, worker="w")
    store.finish(trial, success(Job("trial 0", setting)), told_as=1)
    with pytest.raises(TuningError, match="do not fit together"):
        tune(tmp_path, InlinePool())


def test_time_limit_follows_the_longest_trial(tmp_path: Path) -> None:
    def slow(job: Job) -> Success:
        return Success(success(job).answers, "", TrialCost(eval_seconds=100.0))

    pool = InlinePool(run=slow)
    tune(tmp_path / "found", pool, trials=3)
    assert pool.limits == [600.0, 1000.0, 1000.0]
    pool = InlinePool()
    tune(tmp_path / "given", pool, trials=2, timeout=42.0)
    assert pool.limits == [42.0, 42.0]


def test_one_trial_that_hangs_gives_the_next_no_longer(tmp_path: Path) -> None:
    def hang(job: Job) -> Failure:
        return Failure("timeout", "hangs", "", TrialCost(eval_seconds=pool.limits[-1] or 0.0))

    pool = InlinePool(run=hang)
    with pytest.raises(TuningError, match="5 trials in a row failed"):
        tune(tmp_path, pool)
    assert pool.limits == [600.0] * 5


def test_methods_race_and_the_worst_is_dropped(tmp_path: Path) -> None:
    study = config(methods=("ta", "dare", "ties"))
    _, trials = tune(tmp_path / "whole", InlinePool(), trials=36, study=study)
    turns = {method: [t.number for t in trials if t.setting.method == method] for method in study.methods}
    assert len(turns["dare"]) == 10, "the synthetic DARE is far behind, and dropped after its heat"
    assert min(len(turns["ta"]), len(turns["ties"])) > 10
    calls = iter(range(1000))

    def run(job: Job) -> Success:
        if next(calls) == 33:
            raise KillError
        return success(job)

    with pytest.raises(KillError):
        tune(tmp_path / "cut", InlinePool(run=run), trials=36, study=study)
    assert traces(tune(tmp_path / "cut", InlinePool(), trials=36)[1]) == traces(trials)


def test_a_method_that_cannot_merge_ends_the_study_at_its_first_trial(tmp_path: Path) -> None:
    pool = InlinePool(run=failing({"trial 0": "method"}))
    with pytest.raises(TuningError, match=r"Task Arithmetic cannot merge at ta .*: on purpose; the merge method"):
        tune(tmp_path, pool, patience=5)
    assert len(pool.jobs) == 1
    _, trials = tune(tmp_path, InlinePool(run=failing({"trial 3": "method"})), trials=6, patience=5)
    assert [trial.state for trial in trials].count("failed") == 2, "one that merged before fails like any other trial"
