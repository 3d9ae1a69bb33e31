"""What the subcommands share."""

import click
from rich import box
from rich.console import Console
from rich.table import Table

from hpo_bench.tables import TextTable

PATTERNS = click.argument("patterns", nargs=-1, metavar="[PATTERN]...")


def output() -> Console:
    """Standard output, wide enough for tables where it is a pipe, which has no width of its own."""
    console = Console()
    return console if console.is_terminal else Console(width=180)


def print_table(content: TextTable, *, title: str | None = None) -> None:
    """Print a table of text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for place, head in enumerate(content.columns):
        table.add_column(head, justify="right" if place else "left", no_wrap=not place)
    for row in content.rows:
        table.add_row(row.head, *row.cells, style="dim" if row.faint else None)
    output().print(table)
