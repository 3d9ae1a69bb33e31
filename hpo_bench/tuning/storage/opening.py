"""Opens Optuna storages, and turns what databases raise into errors of ours."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from hpo_bench.display.words import first_line
from hpo_bench.errors import HpoBenchError, TuningError
from hpo_bench.tuning.storage import lock
from hpo_bench.tuning.storage.url import scrubbed, shown, sqlite_file, with_driver

SQLITE_PATIENCE = 60.0
"""Seconds to wait for a reader, such as optuna-dashboard, to let go of an SQLite file whose URL says no `timeout`."""


def open_storage(url: str, *, held: bool) -> RDBStorage:
    """Open a storage; its tables, where there are none, are made by one process at a time.

    Args:
        url: The storage.
        held: Whether nobody else can open it now, as its folder is held.
    """
    _quiet()
    with contextlib.nullcontext() if held else lock.making_tables(url):
        return RDBStorage(with_driver(url), engine_kwargs=_options(url))


def read_only(url: str) -> RDBStorage:
    """Open a storage and make nothing in it; it may be one that may not be written, such as a colleague's."""
    _quiet()
    return RDBStorage(with_driver(_unwritten(url)), engine_kwargs=_options(url), skip_table_creation=True)


def find_study(storage: RDBStorage, name: str, *, url: str, sole: bool, mark: str) -> int | None:
    """Optuna's number of a study; None if it is not there.

    Args:
        storage: Where it is.
        name: The study's name.
        url: Of the storage.
        sole: Whether the storage holds no other, so that a study whose folder was renamed is found all the same.
        mark: The attribute by which studies of ours are known.

    Raises:
        TuningError: If it is somebody else's, which would be taken over if it has no trial yet.
    """
    try:
        study = storage.get_study_id_from_name(name)
    except KeyError:
        known = storage.get_all_studies() if sole else []
        if len(known) != 1:
            return None
        study = known[0]._study_id
    directions, attributes = storage.get_study_directions(study), storage.get_study_user_attrs(study)
    if list(directions) != [StudyDirection.MAXIMIZE]:
        what = f"is to {' and '.join(direction.name.lower() for direction in directions)}"
    elif mark in attributes or not (attributes or storage.get_n_trials(study)):
        return study
    else:
        what = "has others' trials"
    raise TuningError(
        f"the study {name!r} in {shown(url)} was not made by hpo-bench and {what}; name another with --study"
    )


def write_ahead(storage: RDBStorage) -> None:
    """Have SQLite append to a log instead of undoing a journal: a commit waits for the disk once and not four times.

    Nor do readers, such as optuna-dashboard, and the writer wait for each other any more. The file remembers. Where the
    file system cannot do it, SQLite goes on as before.
    """
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


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


def has_tables(url: str) -> bool:
    """Whether a storage is there and has been used.

    Raises:
        TuningError: If there is no way to it.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return False
    with _connected(url) as connection:
        return inspect(connection).has_table("studies")


def check_no_answers(folder: Path, url: str) -> None:
    """Refuse to begin where answers lie that the storage knows nothing of, and that would be overwritten.

    Args:
        folder: The study's.
        url: The storage.

    Raises:
        TuningError: If such answers lie there.
    """
    answered = len(list((folder / "trials").glob("*.parquet")))
    if answered:
        raise TuningError(
            f"{folder} holds the answers of {answered} trials, and {shown(url)} knows no study of theirs; give the "
            "--storage that it was begun with, or begin another with --study"
        )


@contextlib.contextmanager
def guarded(url: str, done: str) -> Iterator[None]:
    """Turn what databases raise into an error of ours, without the secrets that some of them quote.

    Args:
        url: The storage.
        done: What the block does to it, such as "written".

    Raises:
        TuningError: If the database raises.
    """
    try:
        yield
    # Optuna raises ValueError where a trial of somebody else's gave a hyperparameter another type.
    except (optuna.exceptions.OptunaError, SQLAlchemyError, ImportError, ValueError) as error:
        cause = error.__cause__ or error
        why = (str(cause) or type(cause).__name__).splitlines()[0]
        raise TuningError(
            f"{shown(url)} cannot be {done}: {scrubbed(why, url)}; check the URL, the rights and the room on the disk, "
            "then give the same command again: nothing that was finished is lost"
        ) from error
    except RuntimeError as error:  # a database of another version of Optuna's, and its advice
        advice = " ".join(str(error).split()).replace("$STORAGE_URL", f"'{shown(url)}'")
        raise TuningError(f"{shown(url)} cannot be {done}: {advice}") from error
    except HpoBenchError:
        raise
    except Exception as error:
        # Optuna and SQLAlchemy assume that nobody else wrote there, and trip over what they cannot have written.
        why = scrubbed(f"{type(error).__name__}: {first_line(error)}", url)
        raise TuningError(
            f"{shown(url)} cannot be {done}: what is in it is damaged ({why}); put a copy of before in its place, or "
            "begin a study of another name with --study"
        ) from error


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    with guarded(url, "opened"):
        engine = create_engine(with_driver(_unwritten(url)), **_options(url))
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _unwritten(url: str) -> str:
    """The URL, of an SQLite file that may not be written as one that SQLite makes no files of its own beside.

    It would to read a database with a log (see `write_ahead`), though nothing is written. A database that has such
    files may be in use, or have its last trials in them alone, so that SQLite must look at them; else it needs none.
    """
    file = sqlite_file(url)
    if file is None or not file.is_file() or all(os.access(one, os.W_OK) for one in (file, file.parent)):
        return url
    beside = (file.with_name(f"{file.name}-{what}") for what in ("wal", "shm", "journal"))
    how = {"mode": "ro"} if any(one.exists() for one in beside) else {"immutable": "1"}
    place = make_url(url)
    told = place.set(database=f"file:{quote(str(file))}", query={**place.query, "uri": "true", **how})
    return told.render_as_string(hide_password=False)


def _quiet() -> None:
    # Optuna tells of every trial that is created, on the terminal that our table is on, and of what it raises as well.
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _options(url: str) -> dict[str, Any]:
    if sqlite_file(url) is None:
        return {"pool_pre_ping": True}
    # What is given here would win over what the URL says.
    return {} if "timeout" in make_url(url).query else {"connect_args": {"timeout": SQLITE_PATIENCE}}
