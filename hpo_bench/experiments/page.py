"""The one way in which experiments write a page under `docs/`: Markdown, with tables and figures."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from hpo_bench.display.figures import encode
from hpo_bench.display.table import TextTable
from hpo_bench.files import write

Part = str | TextTable
"""A paragraph or more, in Markdown; or a table."""


def save_page(path: Path, parts: Iterable[Part], figures: Mapping[str, tuple[Figure, str]] | None = None) -> Path:
    """Write a page, and its figures beside it.

    Args:
        path: The page.
        parts: What stands on it, a blank line between any two whatever they end in; empty ones are left out.
        figures: By file name without suffix, each with the line on what its numbers come from; they become PNG, and
            the parts refer to them.

    Returns:
        The page.

    Raises:
        ResultsError: If a file cannot be written.
    """
    for name, (figure, source) in (figures or {}).items():
        png = encode(figure, source)["png"]
        write(path.with_name(f"{name}.png"), png)
    texts = (part.to_markdown() if isinstance(part, TextTable) else part.strip("\n") for part in parts)
    write(path, "\n\n".join(filter(None, texts)) + "\n")
    return path
