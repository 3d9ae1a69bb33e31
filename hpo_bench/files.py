"""Files that are there whole or not at all, read as what they were, and where they go by default."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from hpo_bench.errors import HpoBenchError, ResultsError, UsageError
from landscapes.errors import UnreadableError
from landscapes.written import parse_json, parse_record, read_bytes, read_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RESULTS = Path("results")
OTHERS = ("ablation", "cost", "groups", "methods", "peers", "pending", "ranking", "scale", "spending", "tiers")
"""Commands with a folder of their own in `results`, which is no file of the benchmark's and does not concern it."""


def folder_of(command: str) -> Path:
    """The folder of one of `OTHERS`."""
    return RESULTS / OTHERS[OTHERS.index(command)]


PREFIX = ".unfinished-"


def write(path: Path, content: str | bytes | Callable[[Path], object]) -> str:
    """Write a file whole or not at all.

    Args:
        path: Where the file shall be.
        content: A text, bytes, or what writes them to the path it is given.

    Returns:
        SHA-256 of what was written; another process may have put its own in the place by now.

    Raises:
        ResultsError: If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{PREFIX}{uuid4().hex}{path.suffix}")
        # Made here and by nobody else, through no link, with the permissions that the user gives to any new file.
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            if callable(content):
                content(unfinished)
            else:
                unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
            digest = sha256(unfinished)
            unfinished.replace(path)
            return digest
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror or error}; stored runs are kept") from error


def check_folder(folder: Path) -> None:
    """See that files can be written into a folder, which need not be there yet, before the work that they are of.

    Raises:
        UsageError: If it is something else, or cannot be made or written to.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        what = "a link that leads nowhere" if not folder.exists() else "a file"
        raise UsageError(f"{folder} is {what} and not a folder; name a folder, which need not be there yet")
    check_room(folder, folder)


def check_file(path: Path) -> None:
    """See that a file can be written, before the work that it is of.

    Raises:
        UsageError: If it is something else, or cannot be made or written.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it, such as {path / 'out.json'}")
    if os.path.lexists(path) and not path.is_file():
        raise UsageError(f"{path} is neither a file nor absent; name another")
    if path.is_file() and not os.access(path, os.W_OK):
        raise UsageError(f"{path} may not be written; name another, or change its permissions")
    check_room(path.parent, path)


def check_room(folder: Path, wanted: Path, *, wrong: type[HpoBenchError] = UsageError) -> None:
    """See that something can be made in a folder, or in the nearest above it that there is.

    Args:
        folder: The folder.
        wanted: What is to be made, for the message.
        wrong: What to raise.

    Raises:
        wrong: If it cannot.
    """
    try:
        nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if _is_there(one))
    except (OSError, ValueError) as error:  # a name that is too long, or with a NUL
        reason = getattr(error, "strerror", None) or error
        raise wrong(f"{wanted} cannot be used: {reason}; choose another") from error
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise wrong(f"{wanted} cannot be made: {nearest} is not a folder that you may write to; choose another")


def _is_there(path: Path) -> bool:
    """Whether anything is in a place, even a link that leads nowhere."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: object) -> str:
    """Write plain JSON values, of which NaN and infinity are none, as `write` does."""
    return write(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


@dataclass(slots=True)
class OutputFolder:
    """A folder of figures, or of tables.

    Attributes:
        folder: Where it is.
        files: Every file that was kept, with the SHA-256 of its content.
    """

    folder: Path
    files: dict[Path, str] = field(default_factory=dict)

    def keep(self, name: str, encoded: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Write a figure or a table.

        Args:
            name: File name without suffix.
            encoded: Its content by suffix.

        Returns:
            The same again.

        Raises:
            ResultsError: If it cannot be written.
        """
        for suffix, content in encoded.items():
            file = self.folder / f"{name}.{suffix}"
            self.files[file] = write(file, content)
        return encoded

    def clear_others(self) -> None:
        """Remove those of an earlier report, about landscapes that this one does not have."""
        for path in self.folder.glob("[!.]*"):
            if path.suffix in {".png", ".svg", ".csv", ".md", ".tex"} and path not in self.files:
                path.unlink(missing_ok=True)


def write_record(path: Path, record: "DataclassInstance") -> str:
    """Write a dataclass, as JSON, as `write` does."""
    return write(path, json.dumps(asdict(record), indent=2) + "\n")


Record = TypeVar("Record")


def read_record(
    path: Path,
    kind: type[Record],
    *,
    wrong: type[Exception],
    cure: str,
    whole: bool = False,
    names: Mapping[str, str] | None = None,
) -> Record:
    """A dataclass from a file that `write_record` wrote.

    Args:
        path: The file.
        kind: The dataclass, whose annotations say what may stand in the file.
        wrong: What to raise.
        cure: What the user can do about a damaged file.
        whole: Whether fields that have a default must be there as well, as no version ever left them out.
        names: What fields are called now, by what they are called in the file.

    Raises:
        wrong: If the file is missing, no JSON, or anything in it is not of its type.
    """
    try:
        content: Any = read_json(path)
    except UnreadableError as error:
        raise wrong(f"{error}; {cure}") from error
    if names and isinstance(content, dict):
        content = {names.get(key, key): value for key, value in content.items()}
    if whole and isinstance(content, dict) and (absent := sorted(set(kind.__annotations__) - set(content))):
        raise wrong(f"{path} is damaged: {absent[0]} is missing; {cure}")
    return as_record(content, kind, where=str(path), wrong=wrong, cure=cure)


def as_record(content: object, kind: type[Record], *, where: str, wrong: type[Exception], cure: str) -> Record:
    """A dataclass from the plain values that `asdict(record)` gave, wherever they were kept.

    Args:
        content: The values.
        kind: The dataclass, whose annotations say what may stand there.
        where: What holds them, for messages.
        wrong: What to raise.
        cure: What the user can do.

    Raises:
        wrong: If anything is not of its type, or is no field.
    """
    try:
        return parse_record(content, kind, where=f"{where} is damaged", wrong=wrong, cure=cure)
    except HpoBenchError as error:
        if isinstance(error, wrong):
            raise
        raise wrong(f"{where} is damaged: {error}; {cure}") from error  # what the record itself refuses


def whole_lines(path: Path, *, wrong: type[Exception], cure: str, mend: bool = True) -> list[Any]:
    """What a file of JSON lines holds that grows line by line; none if it is not there.

    A last line that a kill cut short is taken off the file, so that the next one begins where it should.

    Args:
        path: The file.
        mend: Whether it is; not where another process may be at work on that line.
        wrong: What to raise.
        cure: What the user can do about a damaged file.

    Raises:
        wrong: If it is a link, no regular file, or damaged.
    """
    if not os.path.lexists(path):
        return []
    if path.is_symlink():
        raise wrong(f"{path} is a link, which is not written through; {cure}")
    try:
        content = read_bytes(path)
        end = content.rfind(b"\n") + 1
        lines = [
            parse_json(line.decode("utf-8", "replace"), where=f"{path}, line {number}")
            for number, line in enumerate(content[:end].split(b"\n")[:-1], start=1)
        ]
        if not end and b"\0" in content:  # no line that was cut short, but what a power cut leaves of one
            raise wrong(f"{path} holds zeros in place of its lines; {cure}")
        if mend and end < len(content):  # and what is before it is whole
            os.truncate(path, end)
        return lines
    except UnreadableError as error:
        raise wrong(f"{error}; {cure}") from error
    except OSError as error:
        raise wrong(f"{path} cannot be written ({error.strerror}); {cure}") from error
