"""A results folder, and in it the store of finished runs.

    results/
        format.json     which format this folder has
        store/          one parquet part a finished group of runs, named by a hash of all their keys, so that several
                        processes may work in one folder; the only thing that took time to compute
        runs.parquet    the runs of the last command, one row an evaluation
        summary.json    its figures
        index.html, figures/, tables/
        cost/, methods/, ...    what other commands make, which does not concern it (`hpo_bench.files`)

Every file is written under another name and then renamed, so a file that is there is whole.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hpo_bench.benchmark.plan import STORE_FORMAT, Run
from hpo_bench.errors import ResultsError
from hpo_bench.files import OTHERS, PREFIX, check_room, write, write_json
from landscapes.errors import UnreadableError
from landscapes.written import check_regular, read_json

STALE_SECONDS = 3600.0
CURE = "delete it, and its runs will be made again"


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """A folder that holds, or will hold, results."""

    path: Path

    @property
    def store(self) -> Path:
        """Where finished runs lie."""
        return self.path / "store"

    @property
    def figures(self) -> Path:
        """Where the report's figures lie."""
        return self.path / "figures"

    @property
    def tables(self) -> Path:
        """Where the report's tables lie."""
        return self.path / "tables"

    @property
    def marker(self) -> Path:
        """The file that says which format the folder has."""
        return self.path / "format.json"

    def check(self) -> None:
        """See that results may be written here, without writing any.

        Raises:
            ResultsError: If the folder is another version's or no results folder at all, or cannot be written to.
        """
        if not self.path.exists():
            check_room(self.path.parent, self.path, wrong=ResultsError)
            return
        if not self.path.is_dir():
            raise ResultsError(f"{self.path} is a file; name a folder with --results")
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise ResultsError(f"cannot write to {self.path}; name another folder with --results")
        if self.marker.exists():
            self._check_format()
            return
        names = (entry.name for entry in self.path.iterdir() if not (entry.name in OTHERS and entry.is_dir()))
        if other := next((name for name in sorted(names) if not name.startswith(".")), None):
            raise ResultsError(
                f"{self.path} holds {other} and no {self.marker.name}, so it is not a results folder; "
                "name another folder with --results"
            )

    def _check_format(self) -> None:
        try:
            found = read_json(self.marker)["format"]
        except (UnreadableError, TypeError, KeyError) as error:
            raise ResultsError(f"{self.marker} cannot be read; name another folder with --results") from error
        if found != STORE_FORMAT:
            raise ResultsError(
                f"{self.path} was written by another version (format {found}, this one has {STORE_FORMAT}); "
                "name another folder with --results"
            )

    def open(self) -> None:
        """Make the folder, and clear away what interrupted writes left.

        Raises:
            ResultsError: If it cannot be made, or see `check`.
        """
        self.check()
        if not self.marker.exists():
            write_json(self.marker, {"format": STORE_FORMAT})
        for leftover in (
            found for own in (self.path, self.store, self.figures, self.tables) for found in own.glob(f"{PREFIX}*")
        ):
            # Younger ones may belong to another process at work in this folder, which may rename them at any moment.
            with suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                    leftover.unlink()

    def _parts(self) -> list[Path]:
        return sorted(path for path in self.store.glob("*.parquet") if not path.name.startswith("."))

    def keys(self) -> set[str]:
        """Keys of all stored runs.

        Raises:
            ResultsError: If a part is corrupt.
        """
        return {key for part in self._parts() for key in _keys(_read(part, columns=["key"]))}

    def add(self, table: pa.Table) -> None:
        """Store finished runs: whole runs, all of them or none.

        Args:
            table: Columns `key`, `t`, the parameters, `score`, `restart`, `restart_reason` and `ask_seconds`; with
                noise `recommended`, too: the score, without noise, of what the optimiser would recommend after it, and
                `reported`: the noisy score that it was told there.
        """
        # By all its keys: another group that shares some of them, of another process, must not be replaced.
        name = hashlib.sha256("\n".join(sorted(_keys(table))).encode()).hexdigest()
        write(
            self.store / f"{name}.parquet",
            lambda path: pq.write_table(table, path, compression="zstd", write_page_checksum=True),
        )

    def load(self, runs: Iterable[Run]) -> pa.Table:
        """Stored evaluations of some runs, in no particular order; a run that two processes stored comes once.

        Raises:
            ResultsError: If a part is corrupt, or a run is not stored.
        """
        missing = {run.key: run for run in runs}
        wanted = len(missing)
        tables = []
        for part in self._parts():
            table = _read(part)
            mine = sorted(_keys(table) & missing.keys())
            if mine:
                tables.append(table.filter(pc.field("key").isin(mine)))
                if flaw := _flaw(tables[-1], [missing[key] for key in mine]):
                    raise ResultsError(f"{part} is corrupt ({flaw}); {CURE}")
                missing = {key: run for key, run in missing.items() if key not in mine}
        if missing:
            one = next(iter(missing.values()))
            raise ResultsError(
                f"{len(missing)} of {wanted} runs are missing from {self.store}, such as {one.optimizer} on "
                f"{one.landscape} with seed {one.seed}; the command that made them makes them again"
            )
        return pa.concat_tables(tables, promote_options="default")


def _is_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(plain) or pa.types.is_large_string(plain)


_COLUMNS: Mapping[str, Callable[[pa.DataType], bool]] = {
    "key": _is_text,
    "t": pa.types.is_integer,
    "score": pa.types.is_floating,
    "restart": pa.types.is_integer,
    "restart_reason": lambda kind: _is_text(kind) or pa.types.is_null(kind),
    "ask_seconds": pa.types.is_floating,
}
"""Of a part, with what their values are; besides there are the hyperparameters."""
_IN_RUNS: Mapping[str, Callable[[pa.DataType], bool]] = {
    "landscape": _is_text, "optimizer": _is_text, "seed": pa.types.is_integer, "regret": pa.types.is_floating,
}  # fmt: skip
"""Of `runs.parquet`, those that a part has not."""


def wrong_columns(schema: pa.Schema, names: Sequence[str]) -> str:
    """Which of some columns is not there once, or holds something else; "" if all are as they should be."""
    kinds = {**_COLUMNS, **_IN_RUNS}
    for name in names:
        if schema.names.count(name) != 1:
            return f"it has {schema.names.count(name) or 'no'} columns {name!r}"
        if not kinds[name](schema.field(name).type):
            return f"column {name!r} holds {schema.field(name).type}"
    return ""


def _flaw(table: pa.Table, runs: Sequence[Run]) -> str:
    """What is wrong with stored evaluations of some runs; "" if nothing is."""
    if np.isinf(table["score"].to_numpy()).any():  # one that failed has none
        return "a score is infinite"
    plain = pa.table({"key": table["key"].cast(pa.string()), "t": table["t"]})
    counted = plain.group_by("key").aggregate([("t", kind) for kind in ("count", "count_distinct", "min", "max")])
    columns = [counted[name].to_pylist() for name in ("key", "t_count", "t_count_distinct", "t_min", "t_max")]
    found = {key: rest for key, *rest in zip(*columns, strict=True)}
    if any(found[run.key] != [run.budget, run.budget, 1, run.budget] for run in runs):
        return "a run lacks evaluations, or has one twice"
    return ""


def _keys(table: pa.Table) -> set[str]:
    return set(table["key"].unique().to_pylist())


def _read(part: Path, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        check_regular(part, wrong=ResultsError)
        file = pq.ParquetFile(part, page_checksum_verification=True)
        if flaw := wrong_columns(file.schema_arrow, columns or tuple(_COLUMNS)):
            raise ResultsError(f"{part} is corrupt ({flaw}); {CURE}")
        return file.read(columns=list(columns) if columns else None)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ResultsError(f"{part} is corrupt; {CURE}") from error
