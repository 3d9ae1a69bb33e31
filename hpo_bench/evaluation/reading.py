"""Examples from the files that users have."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import Example, read_examples

IMAGE = "<image>"
_KEYS = ("id", "category", "question", "image", "images", "answer")


def read(path: Path) -> tuple[Example, ...]:
    """Read parquet, as `examples` describes it, or JSON lines.

    A line has `question` and `answer`, and may have `image` or `images` (paths from the file's own folder), `category`
    and `id`. Without an id the content's hash is one, so that the split does not depend on the order; without `<image>`
    in the question the pictures come first.

    Raises:
        UsageError: If the file cannot be read, a line makes no sense, or two examples share an id.
    """
    examples = _lines(path) if path.suffix in (".jsonl", ".json", ".ndjson") else read_examples(path)
    seen: set[str] = set()
    for example in examples:
        if example.id in seen:
            raise UsageError(f"{path}: two examples have the id {example.id!r}; give each its own")
        seen.add(example.id)
    return examples


def _lines(path: Path) -> tuple[Example, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return tuple(_example(line, path, number) for number, line in enumerate(text.splitlines(), start=1) if line.strip())


def _example(line: str, path: Path, number: int) -> Example:
    where = f"{path}, line {number}"
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: is not JSON: {error}") from error
    if not isinstance(row, Mapping):
        raise UsageError(f"{where}: must be an object with question and answer")
    if unknown := sorted(set(row) - set(_KEYS)):
        raise UsageError(f"{where}: unknown key {unknown[0]!r}; there are: {', '.join(_KEYS)}")
    question, answer = _text(row, "question", where), _text(row, "answer", where)
    names = row.get("images", [row["image"]] if row.get("image") else [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{where}: images must be a list of paths")
    images = tuple(_picture(path.parent, name, where) for name in names)
    marks = question.count(IMAGE)
    if marks not in (0, len(images)):
        raise UsageError(f"{where}: {marks} times {IMAGE} in the question, but {len(images)} pictures")
    if not marks:
        question = IMAGE * len(images) + ("\n" if images else "") + question
    digest = hashlib.sha256("\0".join([question, answer]).encode() + b"\0".join(images)).hexdigest()
    return Example(str(row.get("id", digest[:16])), str(row.get("category", "all")), question, images, answer)


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where}: {key} is missing or no text")
    return str(value)


def _picture(folder: Path, name: str, where: str) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UsageError(f"{where}: {name!r} leads out of the folder of the examples")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{where}: picture {name!r} cannot be read: {error.strerror}") from error
