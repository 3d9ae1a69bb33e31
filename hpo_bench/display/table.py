"""A table of text that prints, and gives Markdown, LaTeX, CSV and a data frame."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

IN_LATEX = {"≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "†": r"\dag{}", "±": r"$\pm$", "\u00a0": "~", "−": "$-$"}
"""Signs that LaTeX knows by other names."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table whose rows are things of a kind, such as optimisers.

    Attributes:
        head: What stands above it.
        cell: What stands in it, of a thing by its name.
        foot: What stands in the last row, which is for comparison.
    """

    head: str
    cell: Callable[[str], str]
    foot: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        head: What the row is about.
        cells: Its text.
        optimizer: Identity of the optimiser that it is about, or none.
        faint: Whether it is for comparison only.
        strong: Whether it is what the others are compared with.
        apart: Whether a line parts it from the rows before, in a terminal.
    """

    head: str
    cells: tuple[str, ...]
    optimizer: str | None = None
    faint: bool = False
    strong: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table.

    Attributes:
        columns: Column heads; the first is above the row heads.
        rows: The rows.
        words: How many of the first columns are words, which begin at the left; the others are figures.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    words: int = 1

    @classmethod
    def of(cls, columns: Sequence[str], lines: Iterable[Sequence[str]], *, words: int = 1) -> Self:
        """A table of plain lines, a text a column."""
        return cls(tuple(columns), tuple(Row(head, tuple(cells)) for head, *cells in lines), words)

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """Each row's head and cells."""
        return [(row.head, *row.cells) for row in self.rows]

    def to_markdown(self) -> str:
        """In GitHub's Markdown."""
        lines = [self.columns, ("---",) * len(self.columns), *self.lines]
        return "\n".join(
            "|" + "|".join(line) + "|" if line[0] == "---" else "| " + " | ".join(line) + " |" for line in lines
        )

    def to_csv(self) -> str:
        """Comma-separated, with a line of heads."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.lines])
        return text.getvalue()

    def to_latex(self) -> str:
        """A `tabular` with rules of the package `booktabs`, for a paper."""
        text = self.to_frame().reset_index().to_latex(index=False, escape=True, column_format=self._aligned)
        return text.translate(str.maketrans(IN_LATEX))

    def to_frame(self) -> "pd.DataFrame":
        """Rows by their heads; cells are the text that is shown."""
        import pandas as pd

        index = pd.Index([row.head for row in self.rows], name=self.columns[0])
        return pd.DataFrame([row.cells for row in self.rows], index=index, columns=list(self.columns[1:]))

    def printed(self, *, title: str | None = None, fold: int | None = None, wrap: bool = False) -> "Table":
        """For a terminal.

        Args:
            title: Above it.
            fold: Letters of a line of a head; None for as many as there are.
            wrap: Whether words go over several lines where there is no room for them on one.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
        for place, head in enumerate(self.columns):
            words = fill(head, fold) if fold else head
            worded = place < self.words
            table.add_column(
                words,
                justify="left" if worded else "right",
                no_wrap=worded and not wrap,
                overflow="fold" if wrap else "ellipsis",
            )
        for place, row in enumerate(self.rows):
            if (row.faint or row.apart) and place:
                table.add_section()
            # As text: a prompt's `[/INST]` is no markup, whatever console prints it.
            cells = map(Text, (row.head, *row.cells))
            table.add_row(*cells, style="dim" if row.faint else "bold" if row.strong else None)
        return table

    @property
    def _aligned(self) -> str:
        return "l" * self.words + "r" * (len(self.columns) - self.words)
