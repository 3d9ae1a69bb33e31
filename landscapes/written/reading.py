"""Files that somebody wrote, read with care: text, JSON, JSON lines and YAML, by one set of rules.

Only a regular file is opened, since a pipe or a device never ends; it is UTF-8, with a byte-order mark or without, and
not larger than its kind ever is. What it holds are plain values under keys that are text: nested no deeper than
`DEPTH`, no key twice in a mapping, whole numbers that a machine can hold, and no half of a surrogate pair in a
text, so that nobody who gets them has to think of any of this. Whatever is wrong is one error in one line, with file
and place.
"""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from landscapes.errors import UnreadableError
from landscapes.written import strict_yaml
from landscapes.written.plain import NotPlainError, check_plain, whole

MEBIBYTE = 2**20
TEXT_LIMIT = 256 * MEBIBYTE
"""Of a text, of JSON, and of all JSON lines together: tables and the indices of the largest checkpoints are smaller."""
YAML_LIMIT = MEBIBYTE
"""Of YAML, which is written by hand and slow to read."""


def check_regular(path: Path, *, at_most: int | None = None, wrong: type[Exception] = UnreadableError) -> None:
    """See that another library may open a file: it is there, may be read, and is no folder, pipe, socket or device.

    Args:
        path: The file; a link stands for what it leads to.
        at_most: Bytes that such a file may have; any number by default.
        wrong: What to raise.

    Raises:
        wrong: If it is not a regular file, or too large, or may not be read, which some libraries call "no such file".
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise wrong(f"{path} {_reason(error)}") from error
    _check(path, status, at_most, wrong)
    if not os.access(path, os.R_OK):
        raise wrong(f"{path} {_reason(PermissionError())}")


def read_bytes(path: Path, *, at_most: int = TEXT_LIMIT, wrong: type[Exception] = UnreadableError) -> bytes:
    """All bytes of a regular file.

    Args:
        path: The file.
        at_most: Bytes that such a file may have.
        wrong: What to raise, as in all that follows.

    Raises:
        wrong: If it is missing, no regular file, too large, or cannot be read.
    """
    try:
        # Without waiting for a writer, should it be a pipe.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            _check(path, os.fstat(handle), at_most, wrong)
            with open(handle, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        if isinstance(error, wrong):
            raise
        raise wrong(f"{path} {_reason(error)}") from error


def read_text(path: Path, *, at_most: int = TEXT_LIMIT, wrong: type[Exception] = UnreadableError) -> str:
    """The text of a file in UTF-8, without its byte-order mark.

    Raises:
        wrong: As for `read_bytes`, or if it is not UTF-8.
    """
    content = read_bytes(path, at_most=at_most, wrong=wrong)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise wrong(
            f"{path}, line {line}: byte {error.object[error.start]:#04x} is not UTF-8; save it as UTF-8"
        ) from error


def read_json(path: Path, *, wrong: type[Exception] = UnreadableError) -> Any:
    """What a file of JSON holds.

    Raises:
        wrong: As for `read_text`, or if it is not JSON, or holds what no file should.
    """
    return parse_json(read_text(path, wrong=wrong), where=str(path), wrong=wrong)


def read_json_lines(path: Path, *, wrong: type[Exception] = UnreadableError) -> Iterator[tuple[int, Any]]:
    """Number and content of every line of a file of JSON lines that is not blank; lines count from 1.

    Only a line feed ends a line: a text may hold the other marks that Python would split at.

    Raises:
        wrong: As for `read_json`.
    """
    for number, line in enumerate(read_text(path, wrong=wrong).split("\n"), start=1):
        if line.strip():
            yield number, parse_json(line, where=f"{path}, line {number}", wrong=wrong)


def read_yaml(path: Path, *, wrong: type[Exception] = UnreadableError) -> Any:
    """What a file of YAML holds, plain values alone.

    Raises:
        wrong: As for `read_text`, or if it is not YAML, or holds what no file should.
    """
    text = read_text(path, at_most=YAML_LIMIT, wrong=wrong)
    try:
        return strict_yaml.load(text)
    except strict_yaml.YamlError as error:
        raise wrong(f"{path}, {error}") from error


def parse_json(text: str, *, where: str, wrong: type[Exception] = UnreadableError) -> Any:
    """What a JSON text holds.

    Args:
        text: The text.
        where: File, and line if there are several texts in it, for messages.
        wrong: What to raise.

    Raises:
        wrong: If it is not JSON, or holds what no file should.
    """
    try:
        content = json.loads(text, object_pairs_hook=_mapping, parse_int=whole)
        check_plain(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text.rstrip() else f"column {error.colno}"
        raise wrong(f"{where}: is not JSON ({error.msg}, {place}); correct it") from error
    except NotPlainError as error:
        raise wrong(f"{where}: {error}") from error
    except RecursionError as error:
        raise wrong(f"{where}: is nested too deeply; flatten it") from error
    return content


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise NotPlainError(f"key {twice!r} is given twice; leave one out")
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "does not exist; check the path"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    if isinstance(error, IsADirectoryError):
        return "is a folder and not a file; name the file"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error}); check the path"
    return f"cannot be read ({error}); check the path"


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a folder and not a file; name the file"
    kinds = ((stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    kind = next((name for test, name in kinds if test(mode)), "device")
    return f"is a {kind} and not a file; write its content to a file and name that"


def _check(path: Path, status: os.stat_result, at_most: int | None, wrong: type[Exception]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise wrong(f"{path} {_kind(status.st_mode)}")
    if at_most is not None and status.st_size > at_most:
        raise wrong(f"{path} has {status.st_size:,} bytes, and such a file at most {at_most:,}; is it the right one?")
