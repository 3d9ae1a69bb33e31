"""Files and folders that people keep examples in, as tables: named columns, and rows that are read when asked for."""

import csv
import glob
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.reading.json_rows import json_rows
from hpo_bench.evaluation.reading.rows import FileRow
from hpo_bench.evaluation.reading.schemas import classes_of, unified
from landscapes.written import read_json

_BATCH = 256
_JSON, _TEXT, _ARROW = (".jsonl", ".ndjson", ".json"), (".csv", ".tsv"), (".arrow", ".feather")
_KINDS = (".parquet", *_JSON, *_TEXT, *_ARROW)
_READ = "examples are read from parquet, arrow, jsonl, json, csv and tsv, and from folders of them"
_DESCRIBES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json")
"""Files of a data set's folder that hold no rows."""
_SPLIT = re.compile(r"(train|testmini|test|validation|valid|val|dev)(?=[-._]|$)", re.IGNORECASE)
_LARGEST_CELL = 2**31 - 1
"""Pictures stand in cells of CSV as base64; Python's own limit is 128 KiB."""


@dataclass(frozen=True, slots=True, eq=False)
class ExampleTable:
    """Rows with named columns.

    Attributes:
        path: What it was read from.
        names: Its columns.
        rows: Reads those of some columns, one after another.
        schema: Types of the columns, where there are types.
    """

    path: Path
    names: tuple[str, ...]
    rows: Callable[[Sequence[str]], Iterator[FileRow]]
    schema: pa.Schema | None = None

    @property
    def folder(self) -> Path:
        """Where paths in its cells begin."""
        if self.path.is_dir():
            return self.path
        is_pattern = not self.path.exists() and any(map(glob.has_magic, self.path.parts))
        return Path(*_before_magic(self.path)) if is_pattern else self.path.parent


def open_table(path: Path) -> ExampleTable:
    """See what columns a file or folder has.

    Args:
        path: A file; a folder as `datasets` saves it, or of files that are shards of one split; or a pattern with `*`
            that files match.

    Raises:
        UsageError: If it is missing, of no kind that is read, or damaged, or does not say which of several splits is
            meant.
    """
    if glob.has_magic(str(path)) and not path.exists():
        files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]
        if not files:
            raise UsageError(f"{path}: no file matches it")
        return _together(path, files)
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise UsageError(f"{path}: does not exist; name a file or folder of examples")
    if not path.is_file():
        raise UsageError(f"{path}: is no regular file; write the examples to one")
    with readable(path):
        return _opener(path)(path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Tells errors of reading a file as one line, which names it."""
    try:
        yield
    except pa.ArrowException as error:
        raise UsageError(f"{path}: is damaged: {str(error).splitlines()[0]}; write it again") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or str(error).splitlines()[0]}") from error


def _before_magic(path: Path) -> list[str]:
    parts = list(path.parts)
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return parts[:first]


def _opener(path: Path) -> Callable[[Path], ExampleTable]:
    with path.open("rb") as file:
        start = file.read(6)
    suffix = path.suffix.lower()
    if suffix == ".parquet" or start[:4] == b"PAR1":
        if start[:4] != b"PAR1":
            raise UsageError(f"{path}: is not parquet; give it the ending of what it is: jsonl, json, csv or tsv")
        return _parquet
    if start == b"ARROW1" or suffix in _ARROW:
        return _arrow
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UsageError(f"{path}: is text in UTF-16; save it as UTF-8")
    if suffix in _JSON:
        return _json
    if suffix in _TEXT:
        return _separated
    raise UsageError(f"{path}: {_READ}; convert it to one of these")


def _folder(path: Path) -> ExampleTable:
    told = path / "dataset_dict.json"
    if told.is_file():
        splits = [name for name in _described(told).get("splits", []) if (path / str(name)).is_dir()]
        if len(splits) == 1:
            return _folder(path / splits[0])
        one = f", such as {path.name}/{splits[-1]}" if splits else ""
        raise UsageError(f"{path}: has the splits {_named(splits)}; name the folder of one{one}")
    if (path / "state.json").is_file():
        names = [one.get("filename") for one in _described(path / "state.json").get("_data_files", [])]
        files = [path / name for name in names if isinstance(name, str) and Path(name).name == name]
        if not files:
            raise UsageError(f"{path}: its state.json names no files; save it again by `save_to_disk`")
        return _together(path, files)
    for place in (path, path / "data"):
        files = [
            file
            for file in sorted(place.glob("*"))
            if file.suffix.lower() in _KINDS and file.name not in _DESCRIBES and file.is_file()
        ]
        if files:
            return _shards(path, files)
    raise UsageError(f"{path}: is a folder without examples; {_READ}")


def _shards(path: Path, files: Sequence[Path]) -> ExampleTable:
    splits = sorted({found[1].lower() if (found := _SPLIT.match(file.name)) else "" for file in files})
    if len(splits) > 1 or len({file.suffix for file in files}) > 1:
        names = [str(file.relative_to(path)) for file in files]
        raise UsageError(
            f"{path}: holds files of several kinds or splits ({_named(names)}); name one, or a pattern such as "
            f"{Path(path.name) / files[0].relative_to(path).parent / (splits[-1] + '*' + files[-1].suffix)}"
        )
    return _together(path, files)


def _together(path: Path, files: Sequence[Path]) -> ExampleTable:
    tables = [open_table(file) for file in files]
    names = tuple(dict.fromkeys(name for table in tables for name in table.names))

    def rows(kept: Sequence[str]) -> Iterator[FileRow]:
        for file, table in zip(files, tables, strict=True):
            for row in table.rows([name for name in kept if name in table.names]):
                yield FileRow(row.where if len(files) == 1 else f"{file.name}, {row.where}", row.values, row.flaw)

    return ExampleTable(path, names, rows, unified([table.schema for table in tables if table.schema is not None]))


def _described(file: Path) -> Mapping[str, Any]:
    found = read_json(file, wrong=UsageError)
    return found if isinstance(found, Mapping) else {}


def _named(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:5]))
    return f"{shown}, and {len(names) - 5} more" if len(names) > 5 else shown or "none"


def _parquet(path: Path) -> ExampleTable:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow

    def rows(kept: Sequence[str]) -> Iterator[FileRow]:
        with readable(path), pq.ParquetFile(path) as file:
            yield from _batches(file.iter_batches(batch_size=_BATCH, columns=list(kept)), schema, kept)

    return ExampleTable(path, _distinct(path, schema.names), rows, schema)


def _arrow(path: Path) -> ExampleTable:
    def opened(file: Any) -> Any:
        try:
            return pa.ipc.open_stream(file)  # as `save_to_disk` writes it
        except pa.ArrowInvalid:
            file.seek(0)
            return pa.ipc.open_file(file)

    with pa.memory_map(str(path)) as file:
        schema = opened(file).schema

    def rows(kept: Sequence[str]) -> Iterator[FileRow]:
        with readable(path), pa.memory_map(str(path)) as file:
            reader = opened(file)
            count = getattr(reader, "num_record_batches", None)
            batches = reader if count is None else (reader.get_batch(place) for place in range(count))
            yield from _batches((batch.select(list(kept)) for batch in batches), schema, kept)

    return ExampleTable(path, _distinct(path, schema.names), rows, schema)


def _batches(batches: Iterator[Any], schema: pa.Schema, kept: Sequence[str]) -> Iterator[FileRow]:
    short = {field.name for field in schema if field.type in (pa.float16(), pa.float32())}
    classes = {name: words for name, words in classes_of(schema).items() if name in kept}
    number = 0
    for batch in batches:
        for index in range(len(batch)):
            number += 1
            where = f"row {number}"
            try:
                values = {name: batch.column(name)[index].as_py() for name in kept}
            except UnicodeDecodeError:
                yield FileRow(where, {}, "has text that is not UTF-8")
                continue
            for name in short & set(kept):
                if values[name] is not None:
                    values[name] = float(str(np.float32(values[name])))  # .1 and not .10000000149
            for name, words in classes.items():
                if isinstance(values[name], int) and 0 <= values[name] < len(words):
                    values[name] = words[values[name]]
            yield FileRow(where, values)


def _json(path: Path) -> ExampleTable:
    found = json_rows(path)
    names = tuple(dict.fromkeys(name for row in found for name in row.values))
    return ExampleTable(path, names, lambda kept: iter(found))


def _separated(path: Path) -> ExampleTable:
    csv.field_size_limit(_LARGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, delimiter = _told(path, lambda: _head(file, "\t" if path.suffix.lower() == ".tsv" else ""))

    if not head and path.stat().st_size:
        raise UsageError(f"{path}: its first line is empty; begin with the names of the columns")

    def rows(kept: Sequence[str]) -> Iterator[FileRow]:
        with readable(path), path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            while (cells := _told(path, lambda: next(reader, None), reader)) is not None:
                where, more = f"line {reader.line_num}", None in cells
                if more or None in cells.values():
                    yield FileRow(where, {}, f"has {'more' if more else 'fewer'} cells than there are columns")
                else:
                    yield FileRow(where, {name: cells[name] for name in kept})

    return ExampleTable(path, _distinct(path, head), rows)


def _head(file: Any, delimiter: str) -> tuple[list[str], str]:
    """Names of columns, and what stands between them: of what spreadsheets write, what makes most columns of them."""
    found = []
    for one in delimiter or ",;\t|":
        file.seek(0)
        try:
            found.append((next(csv.reader(file, delimiter=one, strict=True), []), one))
        except csv.Error:
            if delimiter:
                raise
    return max(found, key=lambda head: len(head[0]), default=([], ","))


def _told(path: Path, read: Callable[[], Any], reader: Any = None) -> Any:
    try:
        return read()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8; save it as UTF-8") from error
    except csv.Error as error:
        line = f", line {reader.line_num}" if reader is not None else ", line 1"
        raise UsageError(f"{path}{line}: {error}; check its quotes") from error


def _distinct(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{path}: has two columns {twice!r}; rename or drop one")
    return tuple(names)
