"""Examples of a benchmark: questions about pictures, with their right answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.errors import UsageError
from landscapes.outcomes import drawn, split_rule

IMAGE = "<image>"
Split = Literal["validation", "test"]
SPLITS: tuple[Split, Split] = ("validation", "test")
VALIDATION_SHARE = 0.2
LEAST = 2
"""So many examples must be on a side for its mean to have a standard error."""
SPLIT_RULE = split_rule(VALIDATION_SHARE)

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("category", pa.string()),
        ("question", pa.string()),
        ("images", pa.list_(pa.binary())),
        ("answer", pa.string()),
    ]
)
_FURTHER = (
    pa.field("others", pa.list_(pa.string())),
    pa.field("before", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
)
"""Columns that are written where some example has anything there."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its answer.

    Attributes:
        id: Unique within the benchmark; decides the split.
        category: "skill" for what the expert can, "general" for what the VLM can.
        question: Text with `<image>` where a picture goes.
        images: The pictures as they came (PNG, JPEG, WebP, ...), as many as the question has `<image>`. Whoever opens
            them turns them upright and converts them.
        answer: The right answer; of several what most people gave.
        others: Further right answers, each as often as it was given.
        before: What was said before the question, a role ("system", "user", "assistant") and a text each; its pictures
            come first in `images`.
    """

    id: str
    category: str
    question: str
    images: tuple[bytes, ...] = field(repr=False)
    answer: str
    others: tuple[str, ...] = field(default=(), kw_only=True)
    before: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    @property
    def spoken(self) -> str:
        """All that a model is shown as said, the question last."""
        return "\n".join([*(said for _, said in self.before), self.question])

    @property
    def answers(self) -> tuple[str, ...]:
        """All right answers."""
        return (self.answer, *self.others)

    @property
    def drawn(self) -> float:
        """By a hash of the id: see `landscapes.outcomes.drawn`."""
        return drawn(self.id)

    @property
    def split(self) -> Split:
        """Which side it is on."""
        return "validation" if self.drawn < VALIDATION_SHARE else "test"


def of_split(examples: Sequence[Example], split: Split) -> tuple[Example, ...]:
    """Those examples that fall on one side."""
    return tuple(example for example in examples if example.split == split)


def first_drawn(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    """So many of the examples, in their order: those with the lowest `drawn`, so that fewer are among more.

    The validation examples of the split are such, too.
    """
    taken = {example.id for example in sorted(examples, key=lambda one: (one.drawn, one.id))[:count]}
    return tuple(example for example in examples if example.id in taken)


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


def further_columns(schema: pa.Schema | None) -> tuple[str, ...]:
    """Which columns beside the usual ones a file has from `write_examples`: "others" and "before", as an `Example` has.

    Args:
        schema: Of the file, if it has any; in a file that somebody else wrote, columns of these names are something
            else.
    """
    if schema is None or not set(_SCHEMA.names) <= set(schema.names):
        return ()
    return tuple(
        one.name for one in _FURTHER if one.name in schema.names and _short(schema.field(one.name).type) == one.type
    )


def _short(kind: pa.DataType) -> pa.DataType:
    """A type without what other programs that write parquet, such as Polars, make of texts and lists: large ones."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_short(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(one.name, _short(one.type)) for one in kind])
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def write_examples(examples: Sequence[Example], path: Path) -> None:
    """Write examples to parquet."""
    further = [one for one in _FURTHER if any(getattr(example, one.name) for example in examples)]
    schema = pa.schema([*_SCHEMA, *further])
    rows = [{name: getattr(example, name) for name in schema.names} for example in examples]
    for row in rows:
        row["before"] = [{"role": role, "content": said} for role, said in row.get("before", ())]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")
