"""What the subcommands share."""

from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from hpo_bench.display.console import output

if TYPE_CHECKING:
    from hpo_bench.display.table import TextTable

PATTERNS = click.argument("patterns", nargs=-1, metavar="[PATTERN]...")


def print_table(content: "TextTable", *, title: str | None = None) -> None:
    """Print a table of text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for place, head in enumerate(content.columns):
        table.add_column(head, justify="right" if place else "left", no_wrap=not place)
    for row in content.rows:
        table.add_row(row.head, *row.cells, style="dim" if row.faint else None)
    output(width=180).print(table)
