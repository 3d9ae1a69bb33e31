"""Examples of a benchmark: questions about pictures, each with one right answer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.errors import UsageError

Split = Literal["validation", "test"]
SPLITS: tuple[Split, Split] = ("validation", "test")
VALIDATION_SHARE = 0.2
SPLIT_RULE = "validation if the first 8 bytes of SHA-256(example id), big-endian, over 2**64 are below 0.2, else test"

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
        images: The pictures as PNG, as many as the question has `<image>`.
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


def read_examples(path: Path) -> tuple[Example, ...]:
    """Read examples from parquet.

    Raises:
        UsageError: If the file is missing, is not parquet, or lacks a column.
    """
    try:
        table = pq.read_table(path, schema=_SCHEMA)
    except (OSError, pa.ArrowException) as error:
        first = str(error).splitlines()[0]
        raise UsageError(f"{path}: cannot read examples with columns {', '.join(_SCHEMA.names)}: {first}") from error
    return tuple(Example(**{**row, "images": tuple(row["images"])}) for row in table.to_pylist())


def write_examples(examples: Sequence[Example], path: Path) -> None:
    """Write examples to parquet."""
    rows = [{name: getattr(example, name) for name in _SCHEMA.names} for example in examples]
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path, compression="zstd")
