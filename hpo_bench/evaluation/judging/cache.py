"""What judges said before, by content, what they were paid and may cost; shared by all workers of a machine."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from hpo_bench.errors import EvaluationError
from landscapes.written import Count, Number, Text

CACHE = "~/.cache/hpo-bench/judge"
PATIENCE = 60.0
"""Seconds to wait for other workers."""
Dollars = Annotated[Number, Ge(0.0)]


@dataclass(frozen=True, slots=True)
class JudgeCache:
    """An SQLite file of verdicts.

    Attributes:
        path: The file.
    """

    path: Path

    @classmethod
    def of(cls, folder: str) -> "JudgeCache":
        """The cache of a folder, `~` being the user's; see `make`."""
        return cls(Path(os.path.expanduser(folder)) / "verdicts.sqlite3")

    def make(self) -> None:
        """Make folder and file where they are missing.

        Raises:
            EvaluationError: If that cannot be, or the file is something else.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EvaluationError(
                f"{self.path.parent}: judges' cache cannot be there ({error.strerror}); name another folder as `cache`",
                kind="judge",
            ) from error
        with self._open() as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, mark REAL)")
            database.execute("CREATE TABLE IF NOT EXISTS payments (dollars REAL)")

    def get(self, model: str, url: str, prompt: str) -> float | None:
        """The mark that was given before; None if it was not asked for."""
        with self._open() as database:
            row = database.execute(
                "SELECT mark FROM verdicts WHERE key = ? AND mark IS NOT NULL", (_key(model, url, prompt),)
            ).fetchone()
        return None if row is None else row[0]

    def reserve(self, dollars: float, *, limit: float) -> int | None:
        """Set money aside before a question is asked.

        Args:
            dollars: The most that the answer can cost.
            limit: What all payments together must not exceed.

        Returns:
            The number of the reservation; None if it would exceed the limit. One that is never settled, as its worker
            died, counts as paid.
        """
        with self._open() as database, database:
            database.execute("BEGIN IMMEDIATE")  # nobody else may reserve between looking and writing
            if not _sum(database) + dollars <= limit:  # so that NaN exceeds it as well
                return None
            return database.execute("INSERT INTO payments VALUES (?)", (dollars,)).lastrowid

    def settle(self, reservation: int, dollars: float) -> None:
        """Replace a reservation by what was paid."""
        with self._open() as database, database:
            database.execute("UPDATE payments SET dollars = ? WHERE rowid = ?", (dollars, reservation))

    def put(self, model: str, url: str, prompt: str, mark: float) -> None:
        """Keep what was said."""
        with self._open() as database, database:
            database.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?)", (_key(model, url, prompt), mark))

    def spent(self) -> float:
        """Dollars paid or set aside in all."""
        with self._open() as database:
            return _sum(database)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as database:
                yield database
        except sqlite3.Error as error:
            raise EvaluationError(
                f"{self.path}: judges' cache cannot be used ({error}); delete it if it is damaged, or name another "
                "folder as `cache`",
                kind="judge",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTerms:
    """What judges may cost, as the section `judge:` of an evaluation says.

    Attributes:
        price_in: Dollars for a million tokens of prompts.
        price_out: Dollars for a million tokens of replies.
        max_dollars: Of all that is kept in the cache's account; nothing is asked beyond it.
        parallel: How many questions, or documents, are judged at once.
        cache: Folder of what was judged before, and of the account.
    """

    price_in: Dollars
    price_out: Dollars
    max_dollars: Dollars
    parallel: Count = 4
    cache: Text = CACHE

    @property
    def kept(self) -> JudgeCache:
        """What is in that folder."""
        return JudgeCache.of(self.cache)


def _sum(database: sqlite3.Connection) -> float:
    # Nobody is paid less than nothing; once a judge could report so.
    return float(database.execute("SELECT COALESCE(SUM(MAX(dollars, 0)), 0) FROM payments").fetchone()[0])


def _key(model: str, url: str, prompt: str) -> str:
    return hashlib.sha256("\0".join((model, url, prompt)).encode()).hexdigest()
