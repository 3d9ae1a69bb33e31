"""What the subcommands share."""

from typing import TYPE_CHECKING

import click

from hpo_bench.cli.options import landscapes_begun
from hpo_bench.display.console import output

if TYPE_CHECKING:
    from hpo_bench.display.table import TextTable

PATTERNS = click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=landscapes_begun)


def print_table(content: "TextTable", *, title: str | None = None) -> None:
    """Print a table of text."""
    output(width=180).print(content.printed(title=title))
