"""Trials in an Optuna storage, so that every tool for Optuna can read them while they are made."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import Goal
from hpo_bench.tuning.storage import rows
from hpo_bench.tuning.storage.answers import read_answers, write_answers, write_log
from hpo_bench.tuning.storage.opening import (
    check_no_answers,
    find_study,
    guarded,
    has_tables,
    open_storage,
    read_only,
    write_ahead,
)
from hpo_bench.tuning.storage.url import VARIABLE, of_file, opened, shown, sqlite_file
from hpo_bench.tuning.trial import Failure, Success, Trial

CONFIG = "hpo_bench"
"""Under this key a study keeps what it was begun with."""
PLANNED = "hpo_bench_planned"
"""Under this key a study keeps how many trials its optimisers planned for."""


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
        self._guarded = partial(guarded, self.url)
        self._config: StudyConfig | None = None
        self._ids: dict[int, int] = {}
        file = sqlite_file(self.url)
        if file is not None and not file.exists():
            if existing:
                raise TuningError(
                    f"there is no database {shown(self.url)}, in which study {name!r} was; put it back"
                    f"{'' if self._own else f', or say where it is in the environment variable {VARIABLE}'}"
                )
            check_no_answers(folder, self.url)
        if not existing:
            folder.mkdir(parents=True, exist_ok=True)
        with self._guarded("opened"):
            self._storage = read_only(self.url) if existing else open_storage(self.url, held=self._own)
            self._study = find_study(self._storage, name, url=self.url, sole=self._own, mark=CONFIG)

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
        store = cls(folder, name, url=url, existing=True) if has_tables(place) else None
        if store is None or store.config is None:
            check_no_answers(folder, place)
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
                self._config = StudyConfig.from_dict(stored, where=f"what {self._place} was begun with")
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
                f"how many trials {self._place} planned for is damaged ({str(planned)[:40]!r} is no number); "
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
        check_no_answers(self.folder, self.url)
        with self._guarded("written"):
            # A study that a kill left without its configuration holds no trial, and is begun again.
            if self._study is None:
                if self._own:
                    write_ahead(self._storage)
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
        row = rows.proposed(setting, self.begun, asked_after=asked_after, worker=worker)
        with self._guarded("written"):
            made = self._storage.create_new_trial(self._known, row)
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

    def note(self, trial: Trial) -> None:
        """Keep what a running trial has taken so far, which a kill would have nobody know of.

        Raises:
            TuningError: If the storage cannot be written.
        """
        with self._guarded("written"):
            self._storage.set_trial_user_attr(self._id(trial), rows.SO_FAR, rows.so_far(trial.cost))

    def finish(self, trial: Trial, result: Success | Failure, *, told_as: int, goal: Goal | None = None) -> Trial:
        """Keep what came of a trial: answers or a log first, then the figures, and last the state.

        A score that is no number is a failure.

        Args:
            trial: Which one; what it cost so far, as by workers that died, is added to what the result cost.
            result: What the worker answered.
            told_as: When the optimiser is told.
            goal: What the answers are worth; by default their mean score.

        Raises:
            TuningError: If the storage cannot be written.
            ResultsError: If the answers or the log cannot be.
        """
        trial = replace(trial, told_as=told_as, cost=trial.cost + result.cost)
        if isinstance(result, Success):
            answers = result.answers["validation"]
            judged = (goal or Goal()).judged(trial, answers)
            if np.isfinite(judged.told_score):
                write_answers(self.answers_path(trial.number), answers)
                return self._keep(replace(judged, state="complete", fingerprint=result.fingerprint, reason=result.note))
            what = f"the evaluator gave {len(answers)} answers, whose mean score is no number"
            result = Failure("nonsense", what)
        log = write_log(self.folder, trial, result)
        return self._keep(replace(trial, state="failed", kind=result.kind, reason=result.reason, log=str(log)))

    def trials(self) -> list[Trial]:
        """Every trial of ours, in the order in which they were proposed; none before the study was begun.

        Raises:
            TuningError: If the storage cannot be read, or a trial is damaged.
        """
        return [trial for frozen in self._frozen() if (trial := self._read(frozen)) is not None]

    def foreign(self) -> list[int]:
        """Numbers of the trials that others made, or that others ended while we ran them.

        Raises:
            TuningError: If the storage cannot be read, or a trial is damaged.
        """
        return [frozen.number for frozen in self._frozen() if self._read(frozen) is None]

    def answers(self, number: int) -> Answers:
        """The answers of a complete trial.

        Raises:
            TuningError: If they cannot be read.
        """
        return read_answers(self.answers_path(number))

    def answers_path(self, number: int) -> Path:
        """Where the answers of a trial are."""
        return self.folder / "trials" / f"{number:04d}.parquet"

    def _read(self, frozen: FrozenTrial) -> Trial | None:
        return rows.read(frozen, where=f"{self._place}, trial {frozen.number},")

    @property
    def _place(self) -> str:
        return f"study {self.name!r} in {shown(self.url)}"

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

    def _frozen(self) -> list[FrozenTrial]:
        if self._study is None:
            return []
        with self._guarded("read"):
            return self._storage.get_all_trials(self._known, deepcopy=False)

    def _id(self, trial: Trial) -> int:
        if trial.number not in self._ids:
            found = self._storage.get_trial_id_from_study_id_trial_number(self._known, trial.number)
            self._ids[trial.number] = found
        return self._ids[trial.number]

    def _keep(self, trial: Trial) -> Trial:
        with self._guarded("written"):
            one = self._id(trial)
            self._storage.set_trial_user_attr(one, rows.MEASURED, rows.measured(trial))
            if trial.margin is not None:
                # Where Optuna and its dashboard look for it; feasible is what is not above 0 there.
                self._storage.set_trial_system_attr(one, rows.CONSTRAINTS, [-trial.margin])
            values = None if trial.score is None else [trial.score]
            self._storage.set_trial_state_values(one, rows.state(trial), values)
        return trial
