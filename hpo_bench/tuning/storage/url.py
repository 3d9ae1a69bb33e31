"""URLs of storages: as they may be shown or kept, and as they can be opened."""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hpo_bench.errors import UsageError
from hpo_bench.tuning.trial import writable

VARIABLE = "HPO_BENCH_STORAGE"
"""Environment variable with the URL of a storage, which keeps a password out of the command line and of files."""
HIDDEN = "***"
PLAIN_SETTINGS = frozenset(
    (
        *("uri", "mode", "cache", "vfs", "nolock", "immutable", "timeout", "isolation_level", "detect_types"),
        *("check_same_thread", "cached_statements", "charset", "collation", "driver", "sslmode", "connect_timeout"),
    )
)
"""Settings in the query of a URL that are no secrets; every other one may be, and is hidden."""
FILES = re.compile(r"[\w.~/ \\-]+\.(db3?|sqlite3?|sql|log|journal|jsonl)")
"""Names of files without a scheme, which hold no secret."""
HOW = "write sqlite:///study.db for a file here, sqlite:////data/study.db for one elsewhere, or postgresql://host/db"


def shown(url: str) -> str:
    """The URL as it may be shown or kept: without a password, and without settings that may hold one.

    What does not parse, or may mean something else than it parses as, such as a password with an unescaped `@`, shows
    nothing but its scheme.
    """
    place = _parsed(url)
    if place is None:
        scheme = re.match(r"\s*([A-Za-z][A-Za-z0-9+.-]*):/", url)
        return f"{scheme[1]}://{HIDDEN}" if scheme else url if FILES.fullmatch(url) else HIDDEN
    if not place.password and not place.query:
        return url
    kept = {key: value if key in PLAIN_SETTINGS else HIDDEN for key, value in place.query.items()}
    return place.set(query=kept).render_as_string(hide_password=True).replace("%2A%2A%2A", HIDDEN)


def is_whole(url: str) -> bool:
    """Whether it can be opened as it stands, because nothing of it was hidden."""
    return HIDDEN not in url


def masked(text: str) -> str:
    """A word of a command line, with the URL in it as it may be shown."""
    begin = re.search(r"[A-Za-z][A-Za-z0-9+.-]*:/", text)
    # Models on the hub are named like URLs, and may have a revision behind an `@`.
    if begin is None or begin[0] == "hf:/":
        return text
    return text[: begin.start()] + shown(text[begin.start() :])


def typed(words: Sequence[str]) -> tuple[str, ...]:
    """The command line as reports and cards show it.

    Args:
        words: What follows the name of the program.
    """
    return ("hpo-bench", *(writable(masked(word)) for word in words))


def scrubbed(text: str, url: str) -> str:
    """What a database says, without the secrets of its URL, which some of them quote."""
    place = _parsed(url)
    if place is None:
        return text.replace(url, shown(url))
    secrets = [place.password, *(value for key, value in place.query.items() if key not in PLAIN_SETTINGS)]
    for secret in secrets:
        for one in (secret,) if isinstance(secret, str) else secret or ():
            text = text.replace(one, HIDDEN) if one else text
    return text


def opened(url: str) -> str:
    """A storage's URL as it is to be opened and kept: it means the same from everywhere, and what is stored stays.

    Relative files of SQLite begin where the user stands, `~` is his home, and settings that SQLite does not know are
    left out.

    Raises:
        UsageError: If it is no URL, or one of a database in memory.
    """
    place = _parsed(url)
    if place is None and FILES.fullmatch(url):
        name = Path(url).with_suffix(".db") if url.endswith((".log", ".journal", ".jsonl")) else url
        raise UsageError(f"{url} is a file and no URL of a database: write sqlite:///{name}")
    if place is None:
        at = "; where a password holds @, : or /, write %40, %3A or %2F" if "@" in url else ""
        what = shown(url) if shown(url) != HIDDEN else "what --storage names (not shown, as it may hold a password)"
        raise UsageError(f"{what} is no URL of a database: {HOW}{at}")
    if place.get_backend_name() != "sqlite":
        return url
    name = place.database or ""
    settings = {key: value for key, value in place.query.items() if key in PLAIN_SETTINGS}
    uri = _is_uri(place)
    file = name.removeprefix("file:") if uri else name
    if file in ("", ":memory:") or settings.get("mode") == "memory" or settings.get("vfs") == "memdb":
        raise UsageError(f"{shown(url)} is a database in memory, which loses every trial when the tuner ends: {HOW}")
    if place.username or place.password or place.host:
        return url  # an encrypted kind, whose driver says what it takes
    # In SQLite's own URLs "%" begins a code and "?" ends the path, in a path of the system's neither does.
    path = Path(unquote(re.sub("^//(localhost)?(?=/)", "", file)) if uri else file)
    try:
        path = path.expanduser().absolute()
    except RuntimeError as error:  # there is no such user
        raise UsageError(f"{shown(url)}: whose home {path.parts[0]} is, is not known; write the whole path") from error
    database = f"file:{quote(str(path))}" if uri else str(path)
    return place.set(database=database, query=settings).render_as_string(hide_password=False)


def of_file(path: Path) -> str:
    """The URL of an SQLite file, whatever letters its path has."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False)


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL as `opened` gives it; None for other databases."""
    place = make_url(url)
    if place.get_backend_name() != "sqlite":
        return None
    name = place.database or ""
    return Path(unquote(name.removeprefix("file:")) if _is_uri(place) else name)


def with_driver(url: str) -> str:
    """The URL, of PostgreSQL with the driver that is installed where it names none.

    SQLAlchemy takes psycopg2 up to its version 2.0 and psycopg from 2.1 on, whichever of them is there.
    """
    place = _parsed(url)
    drivers = [name for name in ("psycopg2", "psycopg") if find_spec(name)]
    if place is None or place.drivername != "postgresql" or not drivers:
        return url
    return place.set(drivername=f"postgresql+{drivers[0]}").render_as_string(hide_password=False)


def _is_uri(place: URL) -> bool:
    """Whether the database of an SQLite URL is itself a URL, of SQLite's own kind."""
    return str(place.query.get("uri", "")).lower() in ("true", "1", "yes", "on", "y", "t")


def _parsed(url: str) -> URL | None:
    """None where it does not parse, or where an `@` or a port tells that a password ends elsewhere than it seems to."""
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is no error of SQLAlchemy's
        return None
    file = place.get_backend_name() == "sqlite" and not place.host and not place.password
    parts = (place.username, place.host, *(() if file else (place.database, *place.query)))
    ambiguous = any("@" in part for part in parts if part) or (not file and url.count("@") > 1)
    return None if ambiguous else place
