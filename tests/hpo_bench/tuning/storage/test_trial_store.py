"""Trials in an Optuna storage."""

import json
import os
import sqlite3
from pathlib import Path

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tuning_toys import answers, config, success

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.storage.answers import read_answers, write_answers
from hpo_bench.tuning.storage.opening import SQLITE_PATIENCE, check_reachable
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.storage.url import with_driver
from hpo_bench.tuning.trial import Failure, Job, Success, TrialCost

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
    done = store.finish(running, success(Job("trial 0", SETTING)), told_as=0)
    other = store.start(MergeSetting("ta", 0.1, 0.2), asked_after=1, worker="worker-2")
    failed = store.finish(other, Failure("timeout", "took too long", "stack", TrialCost(eval_seconds=9)), told_as=1)
    again = reopened(store)
    assert again.trials() == [done, failed]
    assert again.config == config()
    assert (done.state, done.score, done.fingerprint) == ("complete", answers(SETTING).score, f"weights of {SETTING}")
    assert (failed.state, failed.kind, failed.score, failed.cost.eval_seconds) == ("failed", "timeout", None, 9.0)
    assert "stack" in (store.folder / failed.log).read_text()
    assert again.answers(0).scores.tolist() == answers(SETTING).scores.tolist()
    assert again.answers(0).ids == answers(SETTING).ids


def test_a_study_is_kept_in_either_database(url: str, tmp_path: Path) -> None:
    check_reachable(url)
    made = TrialStore(tmp_path / "study", "kept", url=url)
    made.begin(config())
    done = made.finish(made.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    made.start(MergeSetting("ta", 0.1, 0.2), asked_after=1, worker="w")
    made.close()
    again = TrialStore(tmp_path / "study", "kept", url=url)
    assert again.config == config()
    assert again.trials()[0] == done
    assert [trial.state for trial in again.trials()] == ["complete", "running"]
    assert optuna.load_study(study_name="kept", storage=with_driver(again.url)).best_value == done.score
    again.close()


def test_optuna_reads_the_trials_as_its_own(store: TrialStore) -> None:
    done = store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    study = optuna.load_study(study_name="study", storage=store.url)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.best_value == done.score
    assert study.best_params == {"method": "ta", "vl_weight": 0.3, "exp_weight": 1.1}
    assert study.trials[0].user_attrs["measured"]["fingerprint"] == done.fingerprint
    assert study.trials[0].user_attrs["measured"]["standard_error"] == pytest.approx(done.standard_error)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ([], "nothing was measured"),
        ({}, "it lacks "),
        ({"told_as": "x"}, "told_as"),
        ({"standard_error": {}}, "standard_error"),
        ({"merge_seconds": None}, "cost.merge_seconds"),
        ({"surplus": 1}, "'surplus'"),
        ({"number": 3}, "complete and has no score"),
    ],
)
def test_what_was_measured_is_what_it_was_or_refused(measured: object, words: str, store: TrialStore) -> None:
    store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    with sqlite3.connect(store.folder / "study.sqlite3") as database:
        find = "SELECT value_json FROM trial_user_attributes WHERE key = 'measured'"
        kept = json.loads(database.execute(find).fetchone()[0])
        if words == "complete and has no score":
            database.execute("UPDATE trial_values SET value = NULL, value_type = 'INF_NEG'")
        else:
            text = json.dumps({**kept, **measured} if isinstance(measured, dict) and measured else measured)
            database.execute("UPDATE trial_user_attributes SET value_json = ? WHERE key = 'measured'", (text,))
    with pytest.raises(
        TuningError,
        match=f"^study .* in sqlite:.*study.sqlite3, trial 0, is damaged.*{words}.*; begin a study of another name",
    ):
        reopened(store).trials()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trial_values SET value_type = 'INF_POS'",
        "UPDATE trial_values SET value_type = 'none'",
        "UPDATE trials SET state = 'NONE'",
        "UPDATE trials SET datetime_start = 'noon'",
        "UPDATE trial_params SET distribution_json = '{'",
        'UPDATE trial_params SET distribution_json = \'{"name": "Mine", "attributes": {}}\'',
        "UPDATE trial_params SET param_value = 'x' WHERE param_name = 'method'",
        "UPDATE trial_params SET param_value = 7 WHERE param_name = 'method'",
        "DELETE FROM trial_params WHERE param_name = 'vl_weight'",
        "UPDATE trial_user_attributes SET value_json = '{'",
        "UPDATE study_user_attributes SET value_json = '{'",
        "UPDATE study_user_attributes SET value_json = '[]'",
        "UPDATE study_directions SET direction = 'UP'",
        "DROP TABLE trial_params",
        "DROP TABLE trial_values",
        "DROP TABLE studies",
    ],
)
def test_a_database_that_others_damaged_is_named(
    damage: str, store: TrialStore, capfd: pytest.CaptureFixture[str]
) -> None:
    store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    store.close()
    with sqlite3.connect(store.folder / "study.sqlite3") as database:
        database.execute(damage)

    def read() -> None:
        found = TrialStore(store.folder, store.name, existing=True)
        assert found.config is not None
        found.trials()

    with pytest.raises(TuningError, match=r"study\.sqlite3.*; ") as refused:
        read()
    assert "\n" not in str(refused.value)
    assert capfd.readouterr().err == ""  # nor does Optuna tell of it


@pytest.mark.parametrize(
    "change",
    [
        {"score": ["much", "x"]}, {"score": [None, 1.0]}, {"score": [float("inf"), 0.0]}, {"id": [None, "b"]},
        {"category": [[1.0], [2.0]]}, {"response": [None, "b"]},
    ],
)  # fmt: skip
def test_damaged_answers_are_named(change: dict[str, list], tmp_path: Path) -> None:
    path = tmp_path / "0000.parquet"
    write_answers(path, Answers(("a", "b"), ("x", "y"), np.ones(2), ("said", "this")))
    table = pq.read_table(path).to_pydict()
    pq.write_table(pa.table({**table, **change}), path)
    with pytest.raises(TuningError, match=r"0000\.parquet: .*; put the file back$"):
        read_answers(path)


def test_single_examples_have_no_standard_error(store: TrialStore) -> None:
    single = Success({"validation": Answers(("a",), ("skill",), np.ones(1))}, "f", TrialCost())
    store.finish(store.start(SETTING, asked_after=0, worker="w"), single, told_as=0)
    assert reopened(store).trials()[0].standard_error is None


def test_answers_are_there_before_a_trial_is_complete(store: TrialStore, monkeypatch: pytest.MonkeyPatch) -> None:
    running = store.start(SETTING, asked_after=0, worker="w")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store._storage, "set_trial_state_values", crash)
    with pytest.raises(KeyboardInterrupt):
        store.finish(running, success(Job("trial 0", SETTING)), told_as=0)
    again = reopened(store)
    assert [trial.state for trial in again.trials()] == ["running"]
    assert again.answers(0).scores.tolist() == answers(SETTING).scores.tolist()
    # Run again, it ends like any other.
    again.finish(again.trials()[0], success(Job("trial 0", SETTING)), told_as=0)
    assert [trial.state for trial in reopened(store).trials()] == ["complete"]


def test_studies_of_others_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    study = optuna.create_study(study_name="theirs", storage=url)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(TuningError, match="not made by hpo-bench"):
        _ = TrialStore(tmp_path, "theirs", url=url).config


def test_a_study_of_another_direction_or_of_others_is_not_adopted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    optuna.create_study(study_name="down", storage=url, direction="minimize")
    optuna.create_study(study_name="two", storage=url, directions=["maximize", "minimize"])
    optuna.create_study(study_name="noted", storage=url, direction="maximize").set_user_attr("mine", 1)
    queued = optuna.create_study(study_name="queued", storage=url, direction="maximize")
    queued.enqueue_trial({"lr": 0.1})
    for name, what in (
        ("down", "is to minimize"),
        ("two", "is to maximize and minimize"),
        ("noted", "has others' trials"),
        ("queued", "has others' trials"),
    ):
        with pytest.raises(TuningError, match=f"'{name}' in .* was not made by hpo-bench and {what}"):
            TrialStore(tmp_path / "s", name, url=url)
    # What a kill leaves between a study's creation and its configuration is begun again.
    optuna.create_study(study_name="bare", storage=url, direction="maximize")
    assert TrialStore(tmp_path / "s", "bare", url=url).begin(config()) == config()


def test_trials_of_others_are_passed_over(store: TrialStore) -> None:
    done = store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    study = optuna.load_study(study_name="study", storage=store.url)
    study.enqueue_trial({"method": "ta", "vl_weight": 0.1, "exp_weight": 0.1})
    study.add_trial(optuna.trial.create_trial(value=7.0))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    running = store.start(SETTING, asked_after=1, worker="w")
    assert running.number == 6
    again = reopened(store)
    assert again.trials() == [done, running]
    assert again.foreign() == [1, 2, 3, 4, 5]
    study.tell(6, 0.5)  # ours, and ended by somebody else
    assert reopened(store).foreign() == [1, 2, 3, 4, 5, 6]


def test_a_hyperparameter_that_others_gave_another_type_is_told(store: TrialStore) -> None:
    study = optuna.load_study(study_name="study", storage=store.url)
    study.add_trial(
        optuna.trial.create_trial(
            value=1.0,
            params={"vl_weight": "much"},
            distributions={"vl_weight": optuna.distributions.CategoricalDistribution(["much"])},
        )
    )
    with pytest.raises(TuningError, match="cannot be written: "):
        store.start(SETTING, asked_after=0, worker="w")


def test_damaged_settings_of_a_study_are_told(store: TrialStore) -> None:
    for damage in ("text", {"format": 1}, {"format": 1, "starts": []}):
        optuna.load_study(study_name="study", storage=store.url).set_user_attr("hpo_bench", damage)
        with pytest.raises(TuningError, match="begun with is damaged"):
            _ = reopened(store).config


def test_a_database_of_an_older_optuna_passes_on_the_advice(store: TrialStore) -> None:
    store.close()
    with sqlite3.connect(store.folder / "study.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    database.close()
    with pytest.raises(TuningError, match=r"optuna storage upgrade --storage 'sqlite:.*study\.sqlite3'"):
        reopened(store)


def test_an_empty_database_where_answers_lie_is_refused(store: TrialStore, tmp_path: Path) -> None:
    store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    before = store.answers_path(0).read_bytes()
    for name in ("other.db", "empty.db"):
        if name == "empty.db":
            (tmp_path / name).touch()
        with pytest.raises(TuningError, match=r"holds the answers of 1 trials, and .* knows no study of theirs"):
            TrialStore(store.folder, "study", url=f"sqlite:///{tmp_path / name}").begin(config())
    assert not (tmp_path / "other.db").exists()
    store.close()
    (store.folder / "study.sqlite3").unlink()
    with pytest.raises(TuningError, match="holds the answers of 1 trials"):
        reopened(store)
    assert store.answers_path(0).read_bytes() == before


def test_reading_makes_nothing(store: TrialStore, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=r"there is no database .* put it back$"):
        TrialStore(tmp_path / "nowhere", "study", existing=True)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(TuningError, match="cannot be opened"):
        TrialStore(tmp_path / "nowhere", "study", url=f"sqlite:///{tmp_path / 'empty.db'}", existing=True)
    assert not (tmp_path / "empty.db").stat().st_size
    assert TrialStore(store.folder, "study", existing=True).config == config()


def test_a_renamed_folder_keeps_its_study(store: TrialStore) -> None:
    running = store.start(SETTING, asked_after=0, worker="w")
    store.close()
    moved = store.folder.rename(store.folder.with_name("another"))
    assert TrialStore(moved, "another").trials() == [running]


@pytest.mark.parametrize("name", ["study", "100% of it?"])
def test_what_may_not_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    store = TrialStore(tmp_path / name, "study")
    store.begin(config())
    done = store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("x", SETTING)), told_as=0)
    # Whoever runs the tests may be allowed to write everywhere.
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    watched = TrialStore(store.folder, "study", existing=True)
    assert watched.trials() == [done], "while another process writes its log"
    watched.close()
    store.close()
    files = {path.name for path in store.folder.iterdir()}
    assert "study.sqlite3-wal" not in files
    found = TrialStore(store.folder, "study", existing=True)
    assert found.trials() == [done]
    assert {path.name for path in store.folder.iterdir()} == files, "SQLite made files beside it"
    assert TrialStore.look(store.folder, "study") is not None


@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize(("query", "patience"), [("", SQLITE_PATIENCE), ("?timeout=0.5", 0.5)])
def test_a_url_says_how_long_to_wait_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, patience: float, writable: bool
) -> None:
    url, waited = f"sqlite:///{tmp_path / 'x.db'}{query}", []
    store = TrialStore(tmp_path / "study", "study", url=url)
    store.begin(config())
    store.close()
    monkeypatch.setattr(os, "access", lambda _path, mode: writable or mode != os.W_OK)
    connect = sqlite3.dbapi2.connect

    def connected(*arguments, **options):
        waited.append(options.get("timeout"))
        return connect(*arguments, **options)

    monkeypatch.setattr(sqlite3.dbapi2, "connect", connected)
    assert TrialStore(tmp_path / "study", "study", url=url, existing=True).config == config()
    assert TrialStore.look(tmp_path / "study", "study", url=url) is not None
    assert set(waited) == {patience}


@pytest.mark.parametrize("scores", [np.zeros(0), np.array([np.nan, 1.0])])
def test_a_score_that_is_no_number_is_a_failure(store: TrialStore, scores: np.ndarray) -> None:
    ids = tuple(map(str, range(len(scores))))
    bad = Success({"validation": Answers(ids, ids, scores)}, "f", TrialCost(eval_seconds=3.0))
    failed = store.finish(store.start(SETTING, asked_after=0, worker="w"), bad, told_as=0)
    assert (failed.state, failed.kind, failed.score, failed.cost.eval_seconds) == ("failed", "nonsense", None, 3.0)
    assert reopened(store).trials() == [failed]


def test_files_are_as_private_as_the_user_wants(store: TrialStore) -> None:
    before = os.umask(0o077)
    try:
        store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("x", SETTING)), told_as=0)
        Invocation("p", ".", ("hpo-bench",), "postgresql://me:hunter2@host/db").write(store.folder)
    finally:
        os.umask(before)
    for path in (store.answers_path(0), store.folder / "origin.json"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in (store.folder / "origin.json").read_text()


def test_storages_that_cannot_be_opened_say_so(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(TuningError, match=r"study\.sqlite3 cannot be opened: .*not a database"):
        TrialStore(tmp_path, "study")
    with pytest.raises(TuningError, match="cannot be opened"):
        TrialStore(tmp_path, "study", url="nosuchdatabase://somewhere")


def test_lost_answers_are_named(store: TrialStore) -> None:
    store.finish(store.start(SETTING, asked_after=0, worker="w"), success(Job("trial 0", SETTING)), told_as=0)
    store.answers_path(0).unlink()
    with pytest.raises(TuningError, match=r"0000\.parquet: the answers of a trial cannot be read"):
        store.answers(0)


def test_another_worker_is_remembered(store: TrialStore) -> None:
    running = store.start(SETTING, asked_after=0, worker="worker-1")
    moved = store.assign(running, "worker-2")
    done = store.finish(moved, success(Job("trial 0", SETTING)), told_as=0)
    assert done.worker == "worker-2"
    assert reopened(store).trials() == [done]


def test_closed_all_of_it_is_in_one_file_and_it_opens_again_when_used(store: TrialStore) -> None:
    running = store.start(SETTING, asked_after=0, worker="w")
    log = store.folder / "study.sqlite3-wal"
    assert log.exists(), "commits are not written ahead"
    store.close()
    assert not log.exists()
    assert store.trials() == [running]
