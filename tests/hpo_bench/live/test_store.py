"""Trials in an Optuna storage."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from live_toys import answers, config, success

from hpo_bench.errors import LiveError
from hpo_bench.live.store import TrialStore
from hpo_bench.live.trial import Answers, Cost, Failure, Job, Success
from hpo_bench.merging.setting import MergeSetting

SETTING = MergeSetting("ta", 0.3, 1.1)


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    made = TrialStore(tmp_path / "study", "study")
    made.begin(config())
    return made


def reopened(store: TrialStore) -> TrialStore:
    return TrialStore(store.folder, store.name)


def test_what_is_stored_is_read_again(store: TrialStore) -> None:
    running = store.start(SETTING, asked_after=0, worker="worker-1")
    assert reopened(store).trials() == [running]
    done = store.complete(running, success(Job("trial 0", SETTING)), told_as=0)
    other = store.start(MergeSetting("ta", 0.1, 0.2), asked_after=1, worker="worker-2")
    failed = store.fail(other, Failure("timeout", "took too long", "stack", Cost(eval_seconds=9)), told_as=1)
    again = reopened(store)
    assert again.trials() == [done, failed]
    assert again.config == config()
    assert (done.state, done.score, done.fingerprint) == ("complete", answers(SETTING).score, f"weights of {SETTING}")
    assert (failed.state, failed.kind, failed.score, failed.cost.eval_seconds) == ("failed", "timeout", None, 9.0)
    assert "stack" in (store.folder / failed.log).read_text()
    assert again.answers(0).scores.tolist() == answers(SETTING).scores.tolist()
    assert again.answers(0).ids == answers(SETTING).ids


def test_optuna_reads_the_trials_as_its_own(store: TrialStore) -> None:
    done = store.complete(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    study = optuna.load_study(study_name="study", storage=store.url)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.best_value == done.score
    assert study.best_params == {"method": "ta", "vl_weight": 0.3, "exp_weight": 1.1}
    assert study.trials[0].user_attrs["measured"]["fingerprint"] == done.fingerprint
    assert study.trials[0].user_attrs["measured"]["standard_error"] == pytest.approx(done.standard_error)


def test_single_examples_have_no_standard_error(store: TrialStore) -> None:
    single = Success({"validation": Answers(("a",), ("skill",), np.ones(1))}, "f", Cost())
    store.complete(store.start(SETTING, asked_after=0, worker="w"), single, told_as=0)
    assert reopened(store).trials()[0].standard_error is None


def test_answers_are_there_before_a_trial_is_complete(store: TrialStore, monkeypatch: pytest.MonkeyPatch) -> None:
    running = store.start(SETTING, asked_after=0, worker="w")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store._storage, "set_trial_state_values", crash)
    with pytest.raises(KeyboardInterrupt):
        store.complete(running, success(Job("trial 0", SETTING)), told_as=0)
    again = reopened(store)
    assert [trial.state for trial in again.trials()] == ["running"]
    assert again.answers(0).scores.tolist() == answers(SETTING).scores.tolist()
    # Run again, it ends like any other.
    again.complete(again.trials()[0], success(Job("trial 0", SETTING)), told_as=0)
    assert [trial.state for trial in reopened(store).trials()] == ["complete"]


def test_studies_of_others_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    study = optuna.create_study(study_name="theirs", storage=url)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(LiveError, match="not made by hpo-bench"):
        _ = TrialStore(tmp_path, "theirs", url=url).config


def test_storages_that_cannot_be_opened_say_so(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(LiveError, match=r"study\.sqlite3 cannot be opened: .*not a database"):
        TrialStore(tmp_path, "study")
    with pytest.raises(LiveError, match="cannot be opened"):
        TrialStore(tmp_path, "study", url="nosuchdatabase://somewhere")


def test_lost_answers_are_named(store: TrialStore) -> None:
    store.complete(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    store.answers_path(0).unlink()
    with pytest.raises(LiveError, match=r"0000\.parquet: the answers of a trial cannot be read"):
        store.answers(0)


def test_another_worker_is_remembered(store: TrialStore) -> None:
    running = store.start(SETTING, asked_after=0, worker="worker-1")
    moved = store.assign(running, "worker-2")
    done = store.complete(moved, success(Job("trial 0", SETTING)), told_as=0)
    assert done.worker == "worker-2"
    assert reopened(store).trials() == [done]


def test_closed_all_of_it_is_in_one_file_and_it_opens_again_when_used(store: TrialStore) -> None:
    running = store.start(SETTING, asked_after=0, worker="w")
    log = store.folder / "study.sqlite3-wal"
    assert log.exists(), "commits are not written ahead"
    store.close()
    assert not log.exists()
    assert store.trials() == [running]
