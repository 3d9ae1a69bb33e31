"""Rows of JSON: one object a line, a list of objects, objects by their ids, or a list under one key of an object."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.reading.rows import FileRow

_MARK = b"\xef\xbb\xbf"
_BY_COLUMN = (
    "is one JSON object; write a list of objects, or one object a line (in pandas: "
    "to_json(path, orient='records', lines=True))"
)


def json_rows(path: Path) -> list[FileRow]:
    """Read a file of JSON.

    Raises:
        UsageError: If it is a list that cannot be read, or one object that holds no rows.
    """
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(_MARK).lstrip()
        file.seek(0)
        if start.startswith(b"["):
            found = _parsed(file.read())
            if isinstance(found, str):
                raise UsageError(f"{path}: {found}")
            return [_object(f"row {number}", value) for number, value in enumerate(found[0], start=1)]
        rows = []
        # Lines of a binary file end at newlines alone, and not at what else Unicode calls the end of a line.
        for number, line in enumerate(file, start=1):
            if not line.removeprefix(_MARK).strip():
                continue
            found = _parsed(line)
            if isinstance(found, str) and not rows:
                behind = file.tell()
                whole = _parsed(line + file.read())
                if not isinstance(whole, str):
                    return _unwrapped(path, whole[0])
                file.seek(behind)
            where = f"line {number}"
            rows.append(FileRow(where, {}, found) if isinstance(found, str) else _object(where, found[0]))
    return _unwrapped(path, rows[0].values) if len(rows) == 1 and _holds_rows(rows[0].values) else rows


def _holds_rows(value: Mapping[str, Any]) -> bool:
    if {"question", "answer", "messages", "conversations"} & set(value):
        return False
    return bool(_lists(value)) or (bool(value) and all(isinstance(one, Mapping) for one in value.values()))


def _lists(value: Mapping[str, Any]) -> list[str]:
    """Keys of lists that could be rows; the turns of a conversation, which have a role, are none."""
    return [
        key
        for key, inner in value.items()
        if isinstance(inner, list)
        and len(inner)
        and all(isinstance(one, Mapping) and not {"role", "from"} & set(one) for one in inner)
        and key not in ("images", "answers")
    ]


def _unwrapped(path: Path, value: Any) -> list[FileRow]:
    """The rows that one object holds."""
    if not isinstance(value, Mapping):
        return [_object("row 1", value)]
    lists = _lists(value)
    if len(lists) > 1:
        raise UsageError(
            f"{path}: holds several lists ({', '.join(map(repr, lists))}); write the one that is meant alone"
        )
    if lists:
        return [_object(f"row {number}", one) for number, one in enumerate(value[lists[0]], start=1)]
    by_id = [one for one in value.values() if isinstance(one, Mapping)]
    if len(by_id) < len(value) or not by_id or {"question", "answer", "text"} & set(value):
        raise UsageError(f"{path}: {_BY_COLUMN}")
    return [FileRow(f"key {key!r}", {"id": key, **one}) for key, one in zip(value, by_id, strict=True)]


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
    if isinstance(value, Mapping):
        return FileRow(where, value)
    return FileRow(where, {}, "must be an object with question and answer")
