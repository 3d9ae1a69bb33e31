"""Trials in an Optuna storage, so that every tool for Optuna can read them while they are made."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from hpo_bench.errors import LiveError
from hpo_bench.live.config import StudyConfig
from hpo_bench.live.goal import Goal
from hpo_bench.live.outcomes import read_answers, write_answers
from hpo_bench.live.storage_url import shown, with_driver
from hpo_bench.live.trial import Answers, Cost, Failure, State, Success, Trial, plain
from hpo_bench.merging.setting import MergeSetting

CONFIG = "hpo_bench"
"""Under this key a study keeps what it was begun with."""
MEASURED = "measured"
"""Under this key a trial keeps what was measured: one entry and not one a figure, as each is a commit of its own."""
COST = ("merge_seconds", "eval_seconds", "dollars")
"""Those of its figures that make up its cost; the others are called as `Trial` calls them."""
CONSTRAINTS = "constraints"
"""Optuna's own key for how far a trial violates each constraint."""
SQLITE_PATIENCE = 60.0
"""Seconds to wait for a reader, such as optuna-dashboard, to let go of an SQLite file."""
_STATES: dict[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
}


class TrialStore:
    """The trials of one study: rows in an Optuna storage, answers in parquet files beside it.

    A trial's answers are on disk before the storage calls it complete, and one commit makes it so; killed at any
    moment, the store opens again and at most the trials that were running are unfinished.

    Args:
        folder: The study's folder, for answers and logs.
        name: The study's name.
        url: An Optuna storage URL; an SQLite file in the folder by default.

    Raises:
        LiveError: If the storage cannot be opened.
    """

    def __init__(self, folder: Path, name: str, *, url: str | None = None) -> None:
        self.folder, self.name = folder, name
        self._own = url is None
        self.url = url or f"sqlite:///{(folder / 'study.sqlite3').resolve()}"
        self._config: StudyConfig | None = None
        self._ids: dict[int, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        # Optuna tells of every trial that is created, on the terminal that our table is on.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self._guarded("opened"):
            self._storage = _open(self.url)
            self._study = self._find()

    @property
    def config(self) -> StudyConfig | None:
        """What the study was begun with; None before it was.

        Raises:
            LiveError: If the study is not one of ours, or of another version.
        """
        if self._config is None and self._study is not None:
            with self._guarded("read"):
                stored = self._storage.get_study_user_attrs(self._study).get(CONFIG)
            if stored is not None:
                self._config = StudyConfig.from_dict(stored)
            elif self.trials():
                raise LiveError(
                    f"the study {self.name!r} in {shown(self.url)} was not made by hpo-bench; name another with --study"
                )
        return self._config

    def close(self) -> None:
        """Let go of the database, which leaves all of it in one file where it is one; it is opened again when used."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def begin(self, config: StudyConfig) -> StudyConfig:
        """Create the study.

        Returns:
            The configuration as it is stored.

        Raises:
            LiveError: If the storage cannot be written, or the name is taken.
        """
        with self._guarded("written"):
            # A study that a kill left without its configuration holds no trial, and is begun again.
            if self._study is None:
                if self._own:
                    _write_ahead(self._storage)
                self._study = self._storage.create_new_study([StudyDirection.MAXIMIZE], self.name)
            self._storage.set_study_user_attr(self._study, CONFIG, config.as_dict())
        self._config = config
        return config

    def start(self, setting: MergeSetting, *, asked_after: int, worker: str) -> Trial:
        """Add a trial that is about to run, in one commit.

        Args:
            setting: What it merges.
            asked_after: How many results the optimiser knew.
            worker: Who runs it.

        Raises:
            LiveError: If the storage cannot be written.
        """
        template = FrozenTrial(
            number=-1,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params=plain(setting),
            distributions=self._distributions(setting.method),
            user_attrs={"asked_after": asked_after, "worker": worker},
            system_attrs={},
            intermediate_values={},
            trial_id=-1,
        )
        with self._guarded("written"):
            made = self._storage.create_new_trial(self._known, template)
            number = self._storage.get_trial_number_from_id(made)
        self._ids[number] = made
        return Trial(number=number, setting=setting, state="running", asked_after=asked_after, worker=worker)

    def assign(self, trial: Trial, worker: str) -> Trial:
        """Note that another worker runs a trial now.

        Raises:
            LiveError: If the storage cannot be written.
        """
        with self._guarded("written"):
            self._storage.set_trial_user_attr(self._id(trial), "worker", worker)
        return replace(trial, worker=worker)

    def complete(self, trial: Trial, success: Success, *, told_as: int, goal: Goal | None = None) -> Trial:
        """Keep a result: answers first, then the figures, and last the state.

        Args:
            trial: Which one.
            success: What came of it.
            told_as: When the optimiser is told.
            goal: What the answers are worth; by default their mean score.

        Raises:
            LiveError: If the storage or the answers cannot be written.
        """
        answers = success.answers["validation"]
        standing = (goal or Goal()).standing(answers)
        write_answers(self.answers_path(trial.number), answers)
        figures = {
            "standard_error": standing.standard_error,
            "merge_seconds": success.cost.merge_seconds,
            "eval_seconds": success.cost.eval_seconds,
            "dollars": success.cost.dollars,
            "fingerprint": success.fingerprint,
            "told_as": told_as,
            **({"reason": success.note} if success.note else {}),
        }
        if standing.margin is not None:
            figures |= {"kept": standing.kept, "margin": standing.margin, "margin_error": standing.margin_error}
        return self._finish(trial, figures, TrialState.COMPLETE, standing.score)

    def fail(self, trial: Trial, failure: Failure, *, told_as: int) -> Trial:
        """Keep a failure, its details in a log file.

        Raises:
            LiveError: If the storage or the log cannot be written.
        """
        log = Path("logs") / f"trial-{trial.number:04d}.log"
        (self.folder / log).parent.mkdir(exist_ok=True)
        (self.folder / log).write_text(
            f"{plain(trial.setting)}\n{failure.kind}: {failure.reason}\n\n{failure.details}\n", encoding="utf-8"
        )
        figures = {
            "kind": failure.kind,
            "reason": failure.reason,
            "log": str(log),
            "merge_seconds": failure.cost.merge_seconds,
            "eval_seconds": failure.cost.eval_seconds,
            "dollars": failure.cost.dollars,
            "told_as": told_as,
        }
        return self._finish(trial, figures, TrialState.FAIL, None)

    def trials(self) -> list[Trial]:
        """Every trial, in the order in which they were proposed.

        Raises:
            LiveError: If the storage cannot be read, or holds a trial that is not ours.
        """
        with self._guarded("read"):
            return [_read(frozen) for frozen in self._storage.get_all_trials(self._known, deepcopy=False)]

    def answers(self, number: int) -> Answers:
        """The answers of a complete trial.

        Raises:
            LiveError: If they cannot be read.
        """
        return read_answers(self.answers_path(number))

    def answers_path(self, number: int) -> Path:
        """Where the answers of a trial are."""
        return self.folder / "trials" / f"{number:04d}.parquet"

    @property
    def _known(self) -> int:
        if self._study is None:
            raise LiveError(f"there is no study {self.name!r} in {shown(self.url)}")
        return self._study

    def _find(self) -> int | None:
        try:
            return self._storage.get_study_id_from_name(self.name)
        except KeyError:
            return None

    def _id(self, trial: Trial) -> int:
        if trial.number not in self._ids:
            found = self._storage.get_trial_id_from_study_id_trial_number(self._known, trial.number)
            self._ids[trial.number] = found
        return self._ids[trial.number]

    def _finish(self, trial: Trial, figures: Mapping[str, Any], state: TrialState, score: float | None) -> Trial:
        with self._guarded("written"):
            one = self._id(trial)
            self._storage.set_trial_user_attr(one, MEASURED, dict(figures))
            if (margin := figures.get("margin")) is not None:
                # Where Optuna and its dashboard look for it; feasible is what is not above 0 there.
                self._storage.set_trial_system_attr(one, CONSTRAINTS, [-margin])
            self._storage.set_trial_state_values(one, state, None if score is None else [score])
        return _measured(trial, figures, _STATES[state], score)

    def _distributions(self, method: str) -> dict[str, BaseDistribution]:
        config = self.config
        if config is None:
            raise LiveError(f"study {self.name!r} was not begun")
        box = config.space(method).box
        return {
            "method": CategoricalDistribution(config.methods),
            **{axis.name: FloatDistribution(axis.low, axis.high) for axis in box.parameters},
        }

    def _guarded(self, done: str) -> "_Guard":
        return _Guard(f"{shown(self.url)} cannot be {done}")


class _Guard:
    """Turns what databases raise into an error of ours."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, optuna.exceptions.OptunaError | SQLAlchemyError | ImportError):
            cause = error.__cause__ or error
            why = (str(cause) or type(cause).__name__).splitlines()[0]
            raise LiveError(
                f"{self._what}: {why}; check the URL, the rights and the room on the disk, then give the same command "
                "again: nothing that was finished is lost"
            ) from error


def _write_ahead(storage: RDBStorage) -> None:
    """Have SQLite append to a log instead of undoing a journal: a commit waits for the disk once and not four times.

    Nor do readers, such as optuna-dashboard, and the writer wait for each other any more. The file remembers. Where the
    file system cannot do it, SQLite goes on as before.
    """
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _open(url: str) -> RDBStorage:
    options = {"connect_args": {"timeout": SQLITE_PATIENCE}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    return RDBStorage(with_driver(url), engine_kwargs=options)


def _read(frozen: FrozenTrial) -> Trial:
    state = _STATES.get(frozen.state)
    attrs = frozen.user_attrs
    if state is None or "asked_after" not in attrs or "method" not in frozen.params:
        raise LiveError(f"trial {frozen.number} was not made by hpo-bench; begin a study of another name with --study")
    trial = Trial(
        number=frozen.number,
        setting=MergeSetting(**frozen.params),
        state="running",
        asked_after=attrs["asked_after"],
        worker=attrs["worker"],
    )
    # What a kill left of an unfinished trial does not count.
    return trial if state == "running" else _measured(trial, attrs[MEASURED], state, frozen.value)


def _measured(trial: Trial, measured: Mapping[str, Any], state: State, score: float | None) -> Trial:
    """A trial with what its entry `MEASURED` says."""
    cost = Cost(**{key: measured[key] for key in COST})
    known = {key: value for key, value in measured.items() if key not in COST}
    return replace(trial, state=state, score=score, cost=cost, **known)
