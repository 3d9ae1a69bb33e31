"""One tuner a study: a lock that the system, or the database, lets go of when its holder ends, however it ends."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hpo_bench.errors import LiveError
from hpo_bench.live.storage_url import shown, with_driver

LOCK = ".tuning.lock"
KEEPALIVE = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
"""After so many seconds, and so many unanswered calls, PostgreSQL takes a machine for lost and lets its lock go."""


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Hold a study's folder, which is made if it is not there.

    Raises:
        LiveError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise LiveError(f"{folder} is being tuned by another process; wait for it, or stop it") from error


@contextmanager
def in_storage(url: str, study: str) -> Iterator[None]:
    """Hold a study of a storage that several folders, or machines, may use.

    PostgreSQL and MySQL have locks that live as long as the connection that took them; beside an SQLite file another
    file is locked. Other databases have nothing that is alike, and are not held.

    Args:
        url: An Optuna storage.
        study: The study's name.

    Raises:
        LiveError: If another process holds it, or the database does not answer.
    """
    place = make_url(with_driver(url))
    told = shown(url)
    taken = LiveError(
        f"study {study!r} in {told} is being tuned by another process, here or on another machine; wait for it, stop "
        "it, or name another study with --study"
    )
    if place.get_backend_name() == "sqlite":
        file = Path(place.database or "")
        try:
            with FileLock(file.with_name(f".{file.name}.{study}.lock"), timeout=0):
                yield
        except Timeout as error:
            raise taken from error
        return
    # A connection of its own, that nothing else returns, recycles or commits on.
    engine = create_engine(place, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise LiveError(f"{told} cannot be locked: {str(error.__cause__ or error).splitlines()[0]}") from error
    with connection:
        if not _acquire(connection, place.get_backend_name(), study):
            raise taken
        yield


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
