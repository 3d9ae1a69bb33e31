"""One tuner a study: a lock that the system, or the database, lets go of when its holder ends, however it ends."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hpo_bench.errors import TuningError
from hpo_bench.tuning.storage.url import scrubbed, shown, sqlite_file, with_driver

LOCK = ".tuning.lock"
TABLES, TABLES_SECONDS = "~tables", 60.0
"""What is held while tables are made (no study is called so), and how long others wait for it."""
LOOK_SECONDS = 0.1
KEEPALIVE = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
"""After so many seconds, and so many unanswered calls, PostgreSQL takes a machine for lost and lets its lock go."""


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Hold a study's folder, which is made if it is not there.

    Raises:
        TuningError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise TuningError(f"{folder} is being tuned by another process; wait for it, or stop it") from error


@contextmanager
def in_storage(url: str, study: str) -> Iterator[None]:
    """Hold a study of a storage that several folders, or machines, may use.

    PostgreSQL and MySQL have locks that live as long as the connection that took them; beside an SQLite file another
    file is locked. Other databases have nothing that is alike, and are not held.

    Args:
        url: An Optuna storage, as `url.opened` gives it.
        study: The study's name.

    Raises:
        TuningError: If another process holds it, or the database does not answer.
    """
    with _held(url, study, seconds=0.0) as held:
        if not held:
            raise TuningError(
                f"study {study!r} in {shown(url)} is being tuned by another process, here or on another machine; wait "
                "for it, stop it, or name another study with --study"
            )
        yield


@contextmanager
def making_tables(url: str) -> Iterator[None]:
    """Wait until no other process makes the tables of a storage, which two at once fail at.

    Args:
        url: An Optuna storage, as `url.opened` gives it.

    Raises:
        TuningError: If the database does not answer.
    """
    # Who waited in vain goes on, and is told by the database what is wrong.
    with _held(url, TABLES, seconds=TABLES_SECONDS):
        yield


@contextmanager
def _held(url: str, what: str, *, seconds: float) -> Iterator[bool]:
    """Whether something of a storage could be had within so many seconds; it is let go of at the end of the block."""
    place = make_url(with_driver(url))
    if (file := sqlite_file(url)) is not None:
        if not file.parent.is_dir():
            raise TuningError(f"{shown(url)} cannot be opened: there is no folder {file.parent}; make it first")
        with ExitStack() as stack:
            held = True
            try:
                stack.enter_context(FileLock(file.with_name(f".{file.name}.{what}.lock"), timeout=seconds))
            except Timeout:
                held = False
            yield held
        return
    try:
        # A connection of its own, that nothing else returns, recycles or commits on.
        engine = create_engine(place, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        connection = engine.connect()
    except (SQLAlchemyError, ImportError) as error:
        why = scrubbed(str(error.__cause__ or error).splitlines()[0], url)
        raise TuningError(f"{shown(url)} cannot be opened: {why}; check the URL, and that the database runs") from error
    end = time.monotonic() + seconds
    with connection:
        while not (held := _acquire(connection, place.get_backend_name(), what)) and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        yield held


def _acquire(connection: Connection, backend: str, study: str) -> bool:
    digest = hashlib.sha256(f"hpo-bench/{study}".encode()).digest()
    if backend == "postgresql":
        for name, value in KEEPALIVE.items():
            connection.execute(text(f"SET {name} = {value}"))
        key = int.from_bytes(digest[:8], "big", signed=True)
        return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}))
    if backend in ("mysql", "mariadb"):
        # Names are the server's and not the database's, and at most 64 letters long.
        name = f"{digest.hex()[:24]}-{hashlib.sha256(str(connection.engine.url.database).encode()).hexdigest()[:24]}"
        return connection.scalar(text("SELECT GET_LOCK(:name, 0)"), {"name": name}) == 1
    return True
