"""Trials in an Optuna storage, so that every tool for Optuna can read them while they are made."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.files import as_record
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning import lock
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import Goal
from hpo_bench.tuning.storage_url import VARIABLE, of_file, opened, scrubbed, shown, sqlite_file, with_driver
from hpo_bench.tuning.trial import (
    Answers,
    Failure,
    State,
    Success,
    Trial,
    TrialCost,
    plain,
    read_answers,
    write_answers,
)

CONFIG = "hpo_bench"
"""Under this key a study keeps what it was begun with."""
PLANNED = "hpo_bench_planned"
"""Under this key a study keeps how many trials its optimisers planned for."""
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

    Trials that others put into the study, such as those that Optuna's `enqueue_trial` makes, are passed over.

    Args:
        folder: The study's folder, for answers and logs.
        name: The study's name.
        url: An Optuna storage URL; an SQLite file in the folder by default.
        existing: Whether it is only read: then no folder, file or table is made.

    Attributes:
        url: The storage, from wherever it is looked at.

    Raises:
        UsageError: If the URL is none, or of a database that forgets.
        TuningError: If the storage cannot be opened, is not there and only read, lacks what the folder has answers of,
            or has a study of that name that is not ours.
    """

    def __init__(self, folder: Path, name: str, *, url: str | None = None, existing: bool = False) -> None:
        self.folder, self.name = folder, name
        self._own = url is None
        self.url = of_file(folder.resolve() / "study.sqlite3") if url is None else opened(url)
        self._config: StudyConfig | None = None
        self._ids: dict[int, int] = {}
        file = sqlite_file(self.url)
        if file is not None and not file.exists():
            if existing:
                raise TuningError(
                    f"there is no database {shown(self.url)}, in which study {name!r} was; put it back"
                    f"{'' if self._own else f', or say where it is in the environment variable {VARIABLE}'}"
                )
            _check_no_answers(folder, self.url)
        if not existing:
            folder.mkdir(parents=True, exist_ok=True)
        # Optuna tells of every trial that is created, on the terminal that our table is on.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self._guarded("opened"):
            self._storage = _read_only(self.url) if existing else _open(self.url, held=self._own)
            self._study = self._find()
            self._check_ours()

    @classmethod
    def look(cls, folder: Path, name: str, *, url: str | None = None) -> Self | None:
        """A study's store as it would be used, only read; None if there is no storage yet.

        Args:
            folder: As for the store.
            name: Likewise.
            url: Likewise.

        Raises:
            TuningError: If a study could not be begun or continued there.
        """
        place = of_file(folder.resolve() / "study.sqlite3") if url is None else opened(url)
        store = cls(folder, name, url=url, existing=True) if _has_tables(place) else None
        if store is None or store.config is None:
            _check_no_answers(folder, place)
        return store

    @property
    def config(self) -> StudyConfig | None:
        """What the study was begun with; None before it was.

        Raises:
            TuningError: If it is of another version, or damaged.
        """
        if self._config is None and self._study is not None:
            stored = self._attributes.get(CONFIG)
            if stored is not None:
                self._config = StudyConfig.from_dict(stored)
        return self._config

    @property
    def begun(self) -> StudyConfig:
        """What the study was begun with.

        Raises:
            TuningError: If it was not begun, is of another version, or damaged.
        """
        if (config := self.config) is None:
            raise TuningError(f"study {self.name!r} was not begun; tune it first")
        return config

    @property
    def planned(self) -> int:
        """How many trials the optimisers planned for; 0 before they did.

        Raises:
            TuningError: If it is no number.
        """
        planned = self._attributes.get(PLANNED, 0)
        if not isinstance(planned, int):
            raise TuningError(
                f"how many trials study {self.name!r} planned for is damaged ({str(planned)[:40]!r} is no number); "
                "begin another with --study"
            )
        return planned

    def plan(self, trials: int) -> None:
        """Note how many trials the optimisers plan for.

        Raises:
            TuningError: If the storage cannot be written.
        """
        if trials != self.planned:
            with self._guarded("written"):
                self._storage.set_study_user_attr(self._known, PLANNED, trials)

    def close(self) -> None:
        """Let go of the database, which leaves all of it in one file where it is one; it is opened again when used."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def begin(self, config: StudyConfig) -> StudyConfig:
        """Create the study.

        Returns:
            The configuration as it is stored.

        Raises:
            TuningError: If the storage cannot be written, the name is taken, or answers of such a study lie here
                already.
        """
        _check_no_answers(self.folder, self.url)
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
            TuningError: If the storage cannot be written.
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
            TuningError: If the storage cannot be written.
        """
        with self._guarded("written"):
            self._storage.set_trial_user_attr(self._id(trial), "worker", worker)
        return replace(trial, worker=worker)

    def complete(self, trial: Trial, success: Success, *, told_as: int, goal: Goal | None = None) -> Trial:
        """Keep a result: answers first, then the figures, and last the state; a score that is no number is a failure.

        Args:
            trial: Which one.
            success: What came of it.
            told_as: When the optimiser is told.
            goal: What the answers are worth; by default their mean score.

        Raises:
            TuningError: If the storage or the answers cannot be written.
        """
        answers = success.answers["validation"]
        standing = (goal or Goal()).standing(answers)
        if not np.isfinite(standing.score):
            what = f"the evaluator gave {len(answers)} answers, whose mean score is no number"
            return self.fail(trial, Failure("nonsense", what, cost=success.cost), told_as=told_as)
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
            TuningError: If the storage or the log cannot be written.
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
        """Every trial of ours, in the order in which they were proposed.

        Raises:
            TuningError: If the storage cannot be read, or a trial is damaged.
        """
        return [trial for frozen in self._frozen() if (trial := _read(frozen)) is not None]

    def foreign(self) -> list[int]:
        """Numbers of the trials that others made, or that others ended while we ran them.

        Raises:
            TuningError: If the storage cannot be read, or a trial is damaged.
        """
        return [frozen.number for frozen in self._frozen() if _read(frozen) is None] if self._study is not None else []

    def answers(self, number: int) -> Answers:
        """The answers of a complete trial.

        Raises:
            TuningError: If they cannot be read.
        """
        return read_answers(self.answers_path(number))

    def answers_path(self, number: int) -> Path:
        """Where the answers of a trial are."""
        return self.folder / "trials" / f"{number:04d}.parquet"

    @property
    def _known(self) -> int:
        if self._study is None:
            raise TuningError(f"there is no study {self.name!r} in {shown(self.url)}")
        return self._study

    @property
    def _attributes(self) -> Mapping[str, Any]:
        if self._study is None:
            return {}
        with self._guarded("read"):
            return self._storage.get_study_user_attrs(self._study)

    def _find(self) -> int | None:
        try:
            return self._storage.get_study_id_from_name(self.name)
        except KeyError:
            # A folder that was given another name still has its one study.
            known = self._storage.get_all_studies() if self._own else []
            return known[0]._study_id if len(known) == 1 else None

    def _check_ours(self) -> None:
        """Refuse a study of somebody else's, which would be taken over if it has no trial yet."""
        if self._study is None:
            return
        directions = list(self._storage.get_study_directions(self._study))
        if directions != [StudyDirection.MAXIMIZE]:
            what = f"is to {' and '.join(direction.name.lower() for direction in directions)}"
        elif CONFIG in self._attributes or not (self._attributes or self._storage.get_n_trials(self._study)):
            return
        else:
            what = "has others' trials"
        raise TuningError(
            f"the study {self.name!r} in {shown(self.url)} was not made by hpo-bench and {what}; name another with "
            "--study"
        )

    def _frozen(self) -> list[FrozenTrial]:
        with self._guarded("read"):
            return self._storage.get_all_trials(self._known, deepcopy=False)

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
        config = self.begun
        box = config.space(method).box
        return {
            "method": CategoricalDistribution(config.methods),
            **{axis.name: FloatDistribution(axis.low, axis.high) for axis in box.parameters},
        }

    def _guarded(self, done: str) -> "_Guard":
        return _Guard(self.url, done)


def check_reachable(url: str) -> None:
    """Connect to a storage and make nothing in it.

    Args:
        url: As `opened` gives it.

    Raises:
        TuningError: If there is no way to it: no such folder, server, database, user, or driver.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        if not file.parent.is_dir():
            raise TuningError(f"{shown(url)} cannot be opened: there is no folder {file.parent}; make it")
        return
    with _connected(url):
        pass


def _check_no_answers(folder: Path, url: str) -> None:
    """Refuse to begin where answers lie that the storage knows nothing of, and that would be overwritten."""
    answered = len(list((folder / "trials").glob("*.parquet")))
    if answered:
        raise TuningError(
            f"{folder} holds the answers of {answered} trials, and {shown(url)} knows no study of theirs; give the "
            "--storage that it was begun with, or begin another with --study"
        )


def _has_tables(url: str) -> bool:
    """Whether a storage is there and has been used."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return False
    with _connected(url) as connection:
        return inspect(connection).has_table("studies")


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    with _Guard(url, "opened"):
        engine = create_engine(with_driver(url), **_options(url))
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


class _Guard:
    """Turns what databases raise into an error of ours, without the secrets that some of them quote."""

    def __init__(self, url: str, done: str) -> None:
        self._url, self._done = url, done

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        # Optuna raises ValueError where a trial of somebody else's gave a hyperparameter another type.
        if isinstance(error, optuna.exceptions.OptunaError | SQLAlchemyError | ImportError | ValueError):
            cause = error.__cause__ or error
            why = (str(cause) or type(cause).__name__).splitlines()[0]
            raise TuningError(
                f"{shown(self._url)} cannot be {self._done}: {scrubbed(why, self._url)}; check the URL, the rights and "
                "the room on the disk, then give the same command again: nothing that was finished is lost"
            ) from error
        if isinstance(error, RuntimeError):  # a database of another version of Optuna's, and its advice
            advice = " ".join(str(error).split()).replace("$STORAGE_URL", f"'{shown(self._url)}'")
            raise TuningError(f"{shown(self._url)} cannot be {self._done}: {advice}") from error


def _write_ahead(storage: RDBStorage) -> None:
    """Have SQLite append to a log instead of undoing a journal: a commit waits for the disk once and not four times.

    Nor do readers, such as optuna-dashboard, and the writer wait for each other any more. The file remembers. Where the
    file system cannot do it, SQLite goes on as before.
    """
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _open(url: str, *, held: bool) -> RDBStorage:
    """Open a storage; its tables, where there are none, are made by one process at a time.

    Args:
        url: The storage.
        held: Whether nobody else can open it now, as its folder is held.
    """
    with contextlib.nullcontext() if held else lock.making_tables(url):
        return RDBStorage(with_driver(url), engine_kwargs=_options(url))


def _read_only(url: str) -> RDBStorage:
    """Open a storage and make nothing in it."""
    return RDBStorage(with_driver(url), engine_kwargs=_options(url), skip_table_creation=True)


def _options(url: str) -> dict[str, Any]:
    return {"connect_args": {"timeout": SQLITE_PATIENCE}} if url.startswith("sqlite") else {"pool_pre_ping": True}


def _read(frozen: FrozenTrial) -> Trial | None:
    """One of our trials; None for one that somebody else made, or ended while it ran."""
    state = _STATES.get(frozen.state)
    attrs = frozen.user_attrs
    ours = {"asked_after", "worker"} <= set(attrs) and "method" in frozen.params
    if not ours or state is None or (state != "running" and MEASURED not in attrs):
        return None
    where, cure = f"trial {frozen.number}", "begin a study of another name with --study"
    try:
        setting = MergeSetting(**frozen.params)
    except (TypeError, UsageError) as error:
        raise TuningError(f"{where} is damaged ({error}); {cure}") from error
    known = {"number": frozen.number, "setting": setting, "state": "running"}
    known |= {key: attrs[key] for key in ("asked_after", "worker")}
    # What a kill left of an unfinished trial does not count.
    if state != "running":
        if not isinstance(measured := attrs[MEASURED], Mapping):
            raise TuningError(f"{where} is damaged: nothing was measured; {cure}")
        if lacking := {*COST, "told_as"} - set(measured):
            raise TuningError(f"{where} is damaged: it lacks {min(lacking)}; {cure}")
        cost = {key: measured[key] for key in COST}
        known |= {"state": state, "score": frozen.value, "cost": cost}
        known |= {key: value for key, value in measured.items() if key not in COST}
    trial = as_record(known, Trial, where=where, wrong=TuningError, cure=cure)
    if trial.state == "complete" and not (trial.score is not None and np.isfinite(trial.score)):
        raise TuningError(f"{where} is damaged: it is complete and has no score; {cure}")
    return trial


def _measured(trial: Trial, measured: Mapping[str, Any], state: State, score: float | None) -> Trial:
    """A trial with what its entry `MEASURED` says."""
    cost = TrialCost(**{key: measured[key] for key in COST})
    known = {key: value for key, value in measured.items() if key not in COST}
    return replace(trial, state=state, score=score, cost=cost, **known)
