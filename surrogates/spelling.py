"""What the user may have meant by a name that nothing has."""

import difflib
from collections.abc import Iterable

CUTOFF, SHORT, OF_SHORT = 0.65, 3, 0.5
"""Names less alike, as a share of their letters, are no suggestion, as words of another meaning are as near as that; of
names of up to three letters, in which one is a third or a half, those as long that are less alike than the last."""


def nearest(name: object, known: Iterable[object], *, at_most: int = 1) -> list[str]:
    """Known names that are near a mistyped one, the nearest first.

    Case, underscores, spaces and hyphens make no difference, nor do hyphens before an option. What begins with "no-" is
    near to nothing that does not, as it means the contrary. The beginning of a name is near to all of it; and its last
    word, behind a dot, a slash or a hyphen, is nearer than any other that looks like it.

    Args:
        name: What was typed; anything, since a file may hold a number where a name is due.
        known: The names that there are.
        at_most: How many are wanted.
    """
    typed = _plain(str(name))[:100]  # longer is no name, and takes long to compare
    plain: dict[str, list[str]] = {}
    for one in map(str, known):
        if _plain(one).startswith("no-") is typed.startswith("no-"):
            plain.setdefault(_plain(one), []).append(one)
    begun = [one for one in plain if len(typed) > 1 and one.startswith(typed)]
    ends = [one for one in plain if typed and typed in (one.rpartition(mark)[2] for mark in "./-")]
    close = difflib.get_close_matches(typed, plain, n=at_most, cutoff=CUTOFF)
    if len(typed) <= SHORT:
        close += difflib.get_close_matches(typed, [one for one in plain if len(one) == len(typed)], cutoff=OF_SHORT)
    found = [one for key in dict.fromkeys([*ends, *close, *begun]) for one in plain[key]]
    return list(dict.fromkeys(found))[:at_most]


def did_you_mean(name: object, known: Iterable[object], *, at_most: int = 1) -> str:
    """The question to stand before a list of what there is, with a space behind it; "" where nothing is near."""
    found = nearest(name, known, at_most=at_most)
    return f"did you mean {' or '.join(map(repr, found))}? " if found else ""


def offer(name: object, known: Iterable[object]) -> str:
    """What the user may have meant, and all that there is, to end a message about a name that nothing has."""
    names = list(map(str, known))
    return f"{did_you_mean(name, names)}there are: {', '.join(names)}"


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-").replace(" ", "-").lstrip("-")
