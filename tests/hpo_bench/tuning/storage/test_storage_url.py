"""URLs of storages: what is shown of them, and what they open."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from hpo_bench.errors import UsageError
from hpo_bench.tuning.storage.url import masked, of_file, opened, scrubbed, shown, sqlite_file, typed

SECRETS = (
    "postgresql://me:hunter2@host/db",
    "postgresql://me:a@hunter2@host/db",
    "postgresql://me:hunter2@a@host/db",
    "postgresql://me:a/hunter2@host/db",
    "postgresql://me:a@b?hunter2@host/db",
    "postgresql://me:a@b/hunter2@host/db",
    "postgresql://me/hunter2@host/db",
    "postgresql://me:hunter2@host:port/db",
    "postgresql://host:hunter2/db",
    "postgresql:/me:hunter2@host/db",
    "postgresql://host/db?user=me&password=hunter2",
    "postgresql://host/db?passfile=x&sslpassword=hunter2&options=hunter2",
    "mysql+pymysql://host/db?passwd=hunter2",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhunter2",
    "sqlite+pysqlcipher://:hunter2@/study.db",
    "sqlite+pysqlcipher://:a/hunter2@/study.db?cipher=hunter2",
    "sqlite:////data/study.db?password=hunter2",
    "  postgresql://me:hunter2@host/db",
    "host=db user=me password=hunter2",
    "DRIVER={x};PWD=hunter2",
    "me:hunter2@host",
    "hunter2",
)


@pytest.mark.parametrize("url", SECRETS)
def test_no_secret_is_shown_however_the_url_is_written(url: str) -> None:
    assert "hunter2" not in shown(url)
    if "://" in url:
        command = typed(["tune", f"--storage={url}", "--storage", url])
        assert "hunter2" not in " ".join(command)
        assert command[2].startswith("--storage=")


def test_what_does_not_parse_shows_its_scheme_and_what_holds_no_secret_is_shown_as_it_is() -> None:
    assert shown("postgresql://me:a@b@host/db") == "postgresql://***"
    assert shown("postgresql://me:pw@host:5432/db?sslmode=require&x=1") == (
        "postgresql://me:***@host:5432/db?sslmode=require&x=***"
    )
    for url in ("sqlite:////data/a b@c.db", "postgresql://me@host/db", "study.db", "nosuch://x"):
        assert shown(url) == url
    assert masked("hf://owner/model@main") == "hf://owner/model@main"
    assert masked("--pairs=a/b:c") == "--pairs=a/b:c"


def test_what_a_database_says_is_without_secrets() -> None:
    said = 'could not connect with "hunter2"'
    for url in ("postgresql://me:hunter2@host/db", "postgresql://host/db?password=hunter2"):
        assert scrubbed(said, url) == 'could not connect with "***"'


def test_files_mean_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for written, file in (
        ("sqlite:///x.db", tmp_path / "x.db"),
        ("sqlite:///sub/x.db", tmp_path / "sub" / "x.db"),
        ("sqlite:///~/x.db", tmp_path / "home" / "x.db"),
        ("sqlite:////data/x.db", Path("/data/x.db")),
        ("sqlite:///file:x.db?uri=true", tmp_path / "x.db"),
        ("sqlite:///file:///data/x.db?uri=true", Path("/data/x.db")),
        ("sqlite+pysqlite:///x.db?timeout=3&password=hunter2", tmp_path / "x.db"),
    ):
        url = opened(written)
        assert sqlite_file(url) == file, written
        assert opened(url) == url
        assert "hunter2" not in url
    assert opened("postgresql://me:pw@host/db") == "postgresql://me:pw@host/db"
    odd = tmp_path / "50%41 of?it" / "x.db"
    assert sqlite_file(opened(of_file(odd))) == odd
    odd.parent.mkdir()
    monkeypatch.chdir(odd.parent)
    url = opened("sqlite:///file:x.db?uri=true&mode=rwc")
    assert sqlite_file(url) == odd
    assert opened(url) == url
    with create_engine(url).connect() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 1")
    assert odd.stat().st_size, "SQLite takes the path for the same"


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+pysqlite://", "sqlite:///%3Amemory%3A"),
        *("sqlite:///file::memory:?cache=shared&uri=true", "sqlite:///file:x?mode=memory&cache=shared&uri=true"),
        *("sqlite:///file:/x?vfs=memdb&uri=true", "sqlite:///file:?uri=true", "sqlite:///:memory:?uri=1"),
    ],
)
def test_databases_that_forget_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"in memory, which loses every trial .* write sqlite:///study\.db"):
        opened(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("study.db", "study.db is a file .* write sqlite:///study.db$"),
        ("/data/my study.sqlite3", "write sqlite:////data/my study.sqlite3$"),
        ("optuna-journal.log", "write sqlite:///optuna-journal.db$"),
        ("file::memory:?cache=shared", "no URL of a database: write sqlite:///study.db"),
        ("", "no URL of a database"),
        ("postgresql://me:a@b@host/db", r"postgresql://\*\*\* is no URL .* holds @, : or /, write %40"),
    ],
)
def test_what_is_no_url_says_how_to_write_it(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        opened(url)
