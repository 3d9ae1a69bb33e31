"""Suites of landscapes that ship, by name."""

from collections.abc import Callable, Mapping, Sequence

from landscapes import catalogue
from landscapes.errors import UnknownLandscapeError
from landscapes.suites import boxes, mini

SUITES: Mapping[str, Callable[[], list[str]]] = {mini.NAME: mini.names, "study": boxes.study}
"""Ten that stand for all, and those in the study's box."""
SHOWN = 3
"""More names than this no message lists."""


def members(suite: str, patterns: Sequence[str] = ()) -> list[str]:
    """The landscapes of a suite, in alphabetical order.

    Args:
        suite: A name of `SUITES`.
        patterns: Which of them, as for `landscapes.catalogue.match`; all by default.

    Raises:
        UnknownLandscapeError: If a pattern means none of them, or the file that names them is broken.
    """
    all_of_it = SUITES[suite]()
    if not patterns:
        return all_of_it
    meant = catalogue.match(patterns, catalogue.ROOT)
    if not (found := [name for name in all_of_it if name in meant]):
        known = f"{len(all_of_it)} landscapes, such as {', '.join(all_of_it[:SHOWN])}"
        raise UnknownLandscapeError(f"{', '.join(meant[:SHOWN])}: not in the suite {suite}, which has {known}")
    return found
