"""Rows of the files that people keep examples in: parquet, JSON lines, a JSON list, CSV and TSV."""

import csv
import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.errors import UsageError
from surrogates.nearest import did_you_mean

KEYS = ("id", "category", "question", "image", "images", "answer")
NEEDED = ("question", "answer")
_PICTURES = {"image", "images"}
_MISSPELT = 0.76
"""As much alike two names must be for one to be the other misspelt: categories is category, age is no image."""
_BATCH = 256
_ADVICE = "write it as parquet, for instance with `datasets`: load_from_disk(FOLDER).to_parquet('examples.parquet')"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file.

    Attributes:
        where: "row 3" or "line 3", counted from 1.
        values: Cells by key; only keys that examples have.
        flaw: Why there are no values; empty where there are.
    """

    where: str
    values: Mapping[str, Any]
    flaw: str = ""


def rows(path: Path) -> Iterator[FileRow]:
    """Read a file row by row.

    A table (parquet, CSV, TSV) may have columns that are none of ours, as those of data sets have, but for such as are
    nearly ours: they are misspelt. A JSON object is refused with any other key.

    Raises:
        UsageError: If the file is missing, is no file or none of a kind that is read, is damaged, or lacks a column.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder and no file of examples; {_ADVICE}")
    if not path.exists():
        raise UsageError(f"{path}: does not exist; name a file of examples")
    if not path.is_file():
        raise UsageError(f"{path}: is no regular file; write the examples to one")
    try:
        with path.open("rb") as file:
            start = file.read(6)
        yield from _reader(path, start)(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or str(error).splitlines()[0]}") from error
    except pa.ArrowException as error:
        raise UsageError(f"{path}: is damaged: {str(error).splitlines()[0]}; write it again") from error


def _reader(path: Path, start: bytes) -> Callable[[Path], Iterator[FileRow]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet" or start[:4] == b"PAR1":
        if start[:4] != b"PAR1":
            raise UsageError(f"{path}: is not parquet; give it the ending of what it is: jsonl, json, csv or tsv")
        return _parquet
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UsageError(f"{path}: is text in UTF-16; save it as UTF-8")
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json
    if suffix in (".csv", ".tsv"):
        return _separated
    advice = _ADVICE if start == b"ARROW1" or suffix in (".arrow", ".feather") else "convert it to one of these"
    raise UsageError(f"{path}: examples are read from parquet, jsonl, json, csv and tsv; {advice}")


def _parquet(path: Path) -> Iterator[FileRow]:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        kept = _columns(path, schema.names)
        if not _PICTURES & set(kept):
            _refuse_hidden_pictures(path, schema)
        short = {field.name for field in schema if field.type in (pa.float16(), pa.float32())}
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH, columns=kept):
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
                yield FileRow(where, values)


def _refuse_hidden_pictures(path: Path, schema: pa.Schema) -> None:
    """Questions whose pictures are in a column of another name would be asked without them."""
    for field in schema:
        listed = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        kind = field.type.value_type if listed else field.type
        inner = kind.field("bytes").type if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
        if field.name not in KEYS and (pa.types.is_binary(inner) or pa.types.is_large_binary(inner)):
            raise UsageError(
                f"{path}: has bytes in a column {field.name!r} and none called image or images; rename it if it holds "
                "the pictures, else leave it out"
            )


def _json(path: Path) -> Iterator[FileRow]:
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        if start.startswith(b"["):
            found = _parsed(file.read())
            if isinstance(found, str):
                raise UsageError(f"{path}: {found}")
            for number, value in enumerate(found[0], start=1):
                yield _object(f"row {number}", value)
            return
        # Lines of a binary file end at newlines alone, and not at what else Unicode calls the end of a line.
        for number, line in enumerate(file, start=1):
            if not line.removeprefix(b"\xef\xbb\xbf").strip():
                continue
            found = _parsed(line)
            if isinstance(found, str):
                if number == 1 and not isinstance(_parsed(line + file.read()), str):
                    raise UsageError(
                        f"{path}: is one JSON object; write a list of objects, or one object a line (in pandas: "
                        "to_json(path, orient='records', lines=True))"
                    )
                if number == 1:
                    file.seek(len(line))
                yield FileRow(f"line {number}", {}, found)
            else:
                yield _object(f"line {number}", found[0])


def _parsed(data: bytes) -> tuple[Any] | str:
    """What JSON holds, or why it holds nothing."""
    try:
        return (json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once),)
    except UnicodeDecodeError:
        return "is not UTF-8"
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} at character {error.pos + 1}"
    except ValueError as error:  # numbers of thousands of digits, keys given twice
        return f"is not JSON that can be read: {error}"
    except RecursionError:
        return "is nested too deeply"


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return found


def _object(where: str, value: Any) -> FileRow:
    if not isinstance(value, Mapping):
        return FileRow(where, {}, "must be an object with question and answer")
    for key in value:
        if key not in KEYS:
            near = did_you_mean(key, (known for known in KEYS if known not in value))
            return FileRow(where, value, f"unknown key {key!r}; {near}there are: {', '.join(KEYS)}")
    return FileRow(where, value)


def _separated(path: Path) -> Iterator[FileRow]:
    dialect = "excel-tab" if path.suffix.lower() == ".tsv" else "excel"
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, dialect=dialect, strict=True)
        try:
            kept = _columns(path, list(reader.fieldnames or ()))
            for cells in reader:
                where, more = f"line {reader.line_num}", None in cells
                if more or None in cells.values():
                    yield FileRow(where, {}, f"has {'more' if more else 'fewer'} cells than there are columns")
                else:
                    yield FileRow(where, {name: cells[name] for name in kept})
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: is not UTF-8; save it as UTF-8") from error
        except csv.Error as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}; check its quotes") from error


def _columns(path: Path, names: Sequence[str]) -> list[str]:
    """Those columns that are ours."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{path}: has two columns {twice!r}; rename or drop one")
    others = [name for name in names if name not in KEYS]
    for needed in NEEDED:
        if needed not in names:
            _refuse_missing(path, needed, others, names)
    for other in others:
        if meant := _meant(other, names):
            raise UsageError(f"{path}: column {other!r} is unknown; did you mean {meant!r}? Rename it, or drop it")
    return [name for name in names if name in KEYS]


def _meant(other: str, names: Sequence[str]) -> str:
    """The key that a column is likely to be, if there is none of it; "" for one that is another's business."""
    lower, pictured = other.lower(), bool(_PICTURES & set(names))
    if not pictured and any(word in lower for word in ("image", "img", "picture", "photo")):
        return "image"
    absent = [key for key in KEYS if key not in names and not (pictured and key in _PICTURES)]
    return next(iter(difflib.get_close_matches(lower, absent, n=1, cutoff=_MISSPELT)), "")


def _refuse_missing(path: Path, needed: str, others: Sequence[str], names: Sequence[str]) -> NoReturn:
    near = did_you_mean(needed, others)
    raise UsageError(
        f"{path}: has no column {needed!r}; {near + 'Rename it; ' if near else ''}there are: "
        f"{', '.join(map(repr, names[:20]))}"
    )
