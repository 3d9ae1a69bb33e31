"""Examples of a benchmark: questions about pictures, each with one right answer."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.errors import UsageError
from hpo_bench.evaluation import pictures
from hpo_bench.evaluation.pictures import FlawError
from hpo_bench.evaluation.rows import FileRow, rows

IMAGE = "<image>"
Split = Literal["validation", "test"]
SPLITS: tuple[Split, Split] = ("validation", "test")
VALIDATION_SHARE = 0.2
LEAST = 2
"""So many examples must be on a side for its mean to have a standard error."""
SPLIT_RULE = "validation if the first 8 bytes of SHA-256(example id), big-endian, over 2**64 are below 0.2, else test"
EVERY = "all"
"""The category of examples that name none."""
_NAMED = 3
"""How many bad rows are named; all are counted."""

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("category", pa.string()),
        ("question", pa.string()),
        ("images", pa.list_(pa.binary())),
        ("answer", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its answer.

    Attributes:
        id: Unique within the benchmark; decides the split.
        category: "skill" for what the expert can, "general" for what the VLM can.
        question: Text with `<image>` where a picture goes.
        images: The pictures as they came (PNG, JPEG, WebP, ...), as many as the question has `<image>`. Whoever opens
            them turns them upright and converts them.
        answer: The one right answer.
    """

    id: str
    category: str
    question: str
    images: tuple[bytes, ...]
    answer: str

    @property
    def split(self) -> Split:
        """By a hash of the id, never by position: which side an example is on does not depend on the others."""
        drawn = int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:8], "big") / 2**64
        return "validation" if drawn < VALIDATION_SHARE else "test"


def of_split(examples: Sequence[Example], split: Split) -> tuple[Example, ...]:
    """Those examples that fall on one side."""
    return tuple(example for example in examples if example.split == split)


def check_sides(examples: Sequence[Example], splits: Sequence[Split], source: str) -> None:
    """Refuse a benchmark of which a side has too few examples for a mean with a standard error.

    Args:
        examples: The whole benchmark.
        splits: The sides that are needed.
        source: What it was read from, for the message.

    Raises:
        UsageError: If a side has fewer than two; the message has the counts of both.
    """
    counts = {split: len(of_split(examples, split)) for split in SPLITS}
    if min(counts[split] for split in splits) < LEAST:
        found = " and ".join(f"{count} {split}" for split, count in counts.items())
        raise UsageError(
            f"{source}: of {len(examples)} examples the hash of their ids makes {found} examples; each side needs at "
            f"least {LEAST}: add examples"
        )


def read_examples(path: Path) -> tuple[Example, ...]:
    """Read and verify examples: every text, and every picture by decoding it.

    A row has `question` and `answer`, and may have `image` or `images`, `category` ("all" without one) and `id`. Texts
    may be numbers; an answer is one text that is not empty, and neither a list nor true or false. Pictures are as
    `pictures.gather` takes them. Without an id the content's hash is one, so that the split does not depend on the
    order; without `<image>` in the question the pictures come first.

    Args:
        path: Parquet; JSON, one object a line or a list of them; CSV or TSV.

    Raises:
        UsageError: If the file cannot be read, or a row makes no sense or has the id, or all of the content, of
            another; all such rows are counted and the first few named.
    """
    found: dict[str, Example] = {}
    flaws: dict[str, str] = {}
    places: list[str] = []
    first: dict[str, str] = {}
    for row in rows(path):
        where = f"{row.where}{_named(row)}"
        places.append(where)
        try:
            example = _example(row, path.parent)
            found[where] = example
            if (before := first.setdefault(example.id, where)) != where:
                flaws[where] = _double(row, before)
        except FlawError as flaw:
            flaws[where] = str(flaw)
    if not places:
        raise UsageError(f"{path}: holds no examples")
    flaws |= _bad_pictures(found)
    if flaws:
        some = [f"{where}: {flaws[where]}" for where in places if where in flaws]
        more = f"; and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
        raise UsageError(
            f"{path}: {len(some)} of {len(places)} examples cannot be used: {'; '.join(some[:_NAMED])}{more}"
        )
    return tuple(found.values())


def write_examples(examples: Sequence[Example], path: Path) -> None:
    """Write examples to parquet."""
    rows = [{name: getattr(example, name) for name in _SCHEMA.names} for example in examples]
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path, compression="zstd")


def _example(row: FileRow, folder: Path) -> Example:
    if row.flaw:
        raise FlawError(row.flaw)
    answer = _text(row.values, "answer")
    question = _text(row.values, "question", may_be_empty=True)
    images = pictures.gather(row.values.get("image"), row.values.get("images"), folder)
    if not question.strip() and not images:
        raise FlawError("question is empty")
    marks = question.count(IMAGE)
    if marks not in (0, len(images)):
        raise FlawError(f"{marks} times {IMAGE} in the question, but {len(images)} pictures")
    if not marks:
        question = IMAGE * len(images) + ("\n" if images else "") + question
    digest = hashlib.sha256("\0".join([question, answer]).encode() + b"\0".join(images)).hexdigest()
    return Example(
        _optional(row.values, "id") or digest[:16], _optional(row.values, "category") or EVERY, question, images, answer
    )


def _optional(values: Mapping[str, Any], key: str) -> str:
    return "" if pictures.is_nothing(values.get(key)) else _text(values, key)


def _text(values: Mapping[str, Any], key: str, *, may_be_empty: bool = False) -> str:
    """A text, or a number as it is written; 3.0 is 3, as tables make it of whole numbers when one is missing."""
    value = values.get(key)
    if value is None or value != value:
        raise FlawError(f"{key} is missing")
    if isinstance(value, bool):
        raise FlawError(f"{key} is {str(value).lower()}, not text; write the word that is meant, such as yes or no")
    if isinstance(value, float) and math.isinf(value):
        raise FlawError(f"{key} is infinite")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        raise FlawError(f"{key} is a list; choose one, as text")
    if not isinstance(value, str):
        raise FlawError(f"{key} is {type(value).__name__}, not text")
    if not value.strip() and not may_be_empty:
        raise FlawError(f"{key} is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FlawError(f"{key} has half a character in it (a lone surrogate); write it again") from None
    return value


def _named(row: FileRow) -> str:
    value = row.values.get("id")
    known = not pictures.is_nothing(value) and isinstance(value, str | int | float)
    return f" (id {str(value)[:60]!r})" if known else ""


def _double(row: FileRow, before: str) -> str:
    if pictures.is_nothing(row.values.get("id")):
        return f"is the same as {before}; leave it out, or give each an id"
    return f"has the id of {before}; give each its own"


def _bad_pictures(examples: Mapping[str, Example]) -> dict[str, str]:
    owners = [(where, place) for where, one in examples.items() for place in range(len(one.images))]
    flaws = pictures.verify([examples[where].images[place] for where, place in owners])
    found: dict[str, str] = {}
    for (where, place), flaw in zip(owners, flaws, strict=True):
        if flaw:
            found.setdefault(where, f"picture {place + 1} {flaw}")
    return found
