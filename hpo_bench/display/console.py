"""How this package prints: plain text as it is, with what a terminal would obey escaped.

Names, paths, answers and error texts are the user's or a stranger's, so nothing that is printed is markup: a merge
called `[red]` is called so. Styles are given as arguments.
"""

import sys
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from hpo_bench.display.printing import escaped

if TYPE_CHECKING:
    from hpo_bench.display.table import TextTable


class PlainConsole(Console):
    """A console on which brackets and colons mean nothing, and control characters are shown and not obeyed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; words alone are a line in a file, and in a terminal broken between words, never within a path."""
        if all(isinstance(one, str) for one in objects):
            options.setdefault("soft_wrap", True)
            objects = tuple(map(self._broken, objects)) if self.is_terminal else objects
        super().print(*objects, **options)

    def _broken(self, text: str) -> str:
        broken = partial(fill, width=self.width, break_long_words=False, break_on_hyphens=False)
        return "\n".join(broken(line) if len(line) > self.width else line for line in text.split("\n"))

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text that is printed, alone or in a table, comes through here."""
        return super().render_str(escaped(text), **options)


def output(*, width: int = 160) -> PlainConsole:
    """Standard output.

    Args:
        width: Columns where it is a pipe, which has no width of its own; tables need about so much.
    """
    return PlainConsole(width=None if sys.stdout.isatty() else width)


def print_table(content: "TextTable", *, title: str | None = None) -> None:
    """Print a table of text on standard output."""
    output(width=180).print(content.printed(title=title))


def progress() -> PlainConsole:
    """Standard error, for bars and lines on how far the work is."""
    return PlainConsole(stderr=True)
