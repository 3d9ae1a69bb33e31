"""A table that prints, and gives Markdown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table whose rows are figures of a kind.

    Attributes:
        head: What stands above it.
        cell: Of a row's figures, what stands in it.
        foot: What stands in the last row, which is for comparison.
    """

    head: str
    cell: Callable[[Mapping[str, Any]], str]
    foot: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        head: What the row is about.
        cells: Its text.
        optimizer: Identity of the optimiser that it is about, or none.
        faint: Whether it is for comparison only.
    """

    head: str
    cells: tuple[str, ...]
    optimizer: str | None = None
    faint: bool = False


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table.

    Attributes:
        columns: Column heads; the first is above the row heads.
        rows: The rows.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def as_markdown(table: TextTable) -> str:
    """A table in GitHub's Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|---" * len(table.columns) + "|"]
    lines += ["| " + " | ".join((row.head, *row.cells)) + " |" for row in table.rows]
    return "\n".join(lines)
