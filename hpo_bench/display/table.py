"""A table of text that prints, and gives Markdown, LaTeX, CSV and a data frame."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

_FORMULA = ("=", "@", "\t", "\r", "\n")
_CALLS = re.compile(r"[^\W\d_]|[(|!]")
"""Without a letter or one of these a formula names nothing."""
LEAST_HEAD = 8
"""Letters of the heads of rows that are left where even one column beside them has too little room."""
IN_LATEX = {
    "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "†": r"\dag{}", "±": r"$\pm$", "\u00a0": "~", "−": "$-$",
    "<": "$<$", ">": "$>$",
}  # fmt: skip
"""Signs that LaTeX knows by other names, or sets as others: a plain < is an exclamation mark upside down."""


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
        head, *rows = (" | ".join(map(_in_markdown, line)) for line in (self.columns, *self.lines))
        return "\n".join((f"| {head} |", "|" + "---|" * len(self.columns), *(f"| {row} |" for row in rows)))

    def to_csv(self) -> str:
        """Comma-separated, with a line of heads; see `inert` for what a spreadsheet would compute."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(map(inert, line) for line in (self.columns, *self.lines))
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

    def printed(self, *, title: str | None = None, wrap: bool = False) -> "PrintedTable":
        """For a terminal, however narrow: columns that find no room stand below the others, with the rows' heads again.

        Args:
            title: Above it.
            wrap: Whether words go over several lines where there is no room for them on one.
        """
        return PrintedTable(self, title, wrap)

    @property
    def _aligned(self) -> str:
        return "l" * self.words + "r" * (len(self.columns) - self.words)


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A table as `rich` prints it: no figure is cut off, and no head within a word.

    Attributes:
        table: What is printed.
        title: Above it.
        wrap: Whether words go over several lines where there is no room for them on one; figures stay beside them.
    """

    table: TextTable
    title: str | None
    wrap: bool

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["Table"]:
        """One table, or where there is not so much room, several."""
        if self.wrap:
            yield self._part(dict.fromkeys(range(len(self.table.columns))), self.title)
            return
        for place, columns in enumerate(self._parts(options.max_width)):
            yield self._part(self._widths(columns, options.max_width), None if place else self.title)

    def _parts(self, room: int) -> Iterator[list[int]]:
        """As many columns as find room beside those that tell the rows apart, again and again."""
        heads = self._heads(room)
        part = list(range(heads))
        for column in range(heads, len(self.table.columns)):
            if len(part) > heads and _total(self._least(one) for one in (*part, column)) > room:
                yield part
                part = list(range(heads))
            part.append(column)
        yield part

    def _heads(self, room: int) -> int:
        """How many of the first columns, of words, tell the rows apart, and leave room for any other beside them."""
        lines, least = self.table.lines, [self._least(one) for one in range(len(self.table.columns))]
        known = range(1, self.table.words)
        heads = next((n for n in known if len({line[:n] for line in lines}) == len(lines)), max(self.table.words, 1))
        while heads > 1 and _total([*least[:heads], max(least[heads:], default=0)]) > room:
            heads -= 1
        return heads

    def _least(self, column: int) -> int:
        """Letters that a column needs: of its longest cell, or of the longest word of its head."""
        from rich.cells import cell_len

        cells = (line[column] for line in self.table.lines)
        return max(cell_len(text) for text in ("", *cells, *self.table.columns[column].split(" ")))

    def _widths(self, columns: Sequence[int], room: int) -> dict[int, int | None]:
        """Letters of each column: heads stand on one line where there is room, the longest give way first."""
        from rich.cells import cell_len

        least = {one: self._least(one) for one in columns}
        widths = {one: max(least[one], cell_len(self.table.columns[one])) for one in columns}
        while _total(widths.values()) > room and (slack := [one for one in columns if widths[one] > least[one]]):
            widths[max(slack, key=widths.__getitem__)] -= 1
        beyond = max(0, _total(widths.values()) - room)
        return {**widths, 0: max(LEAST_HEAD, widths[0] - beyond)} if beyond else dict(widths)

    def _part(self, widths: Mapping[int, int | None], title: str | None) -> "Table":
        from rich import box
        from rich.table import Table
        from rich.text import Text

        printed = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
        for column, width in widths.items():
            head, worded = self.table.columns[column], column < self.table.words
            printed.add_column(
                fill(head, width, break_long_words=False) if width else head,
                justify="left" if worded else "right",
                no_wrap=worded and not self.wrap,
                overflow="fold" if self.wrap else "ellipsis",
                width=width,
            )
        for place, row in enumerate(self.table.rows):
            if (row.faint or row.apart) and place:
                printed.add_section()
            cells = (row.head, *row.cells)
            # As text: a prompt's `[/INST]` is no markup, whatever console prints it.
            shown = (Text(cells[column]) for column in widths)
            printed.add_row(*shown, style="dim" if row.faint else "bold" if row.strong else None)
        return printed


def inert(cell: str) -> str:
    """A cell of a CSV file, with an apostrophe before what a spreadsheet would take for a formula and compute.

    Models answer with what they like, and a formula may start programs and read files. A signed figure is none, also
    with an interval after it.
    """
    calls = cell.startswith(_FORMULA) or (cell.startswith(("+", "-")) and _CALLS.search(cell) is not None)
    return f"'{cell}" if calls and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _in_markdown(cell: str) -> str:
    """A cell in which nothing ends it, nor its row."""
    return " ".join(cell.replace("|", r"\|").splitlines())


def _total(widths: Iterable[int]) -> int:
    """Letters of a line with columns so wide: there are three between two of them, and one at both ends."""
    widths = list(widths)
    return sum(widths) + 3 * (len(widths) - 1) + 2
