"""Plain values, as files hold them: what may stand in them, checked once so that nobody else has to."""

import math
from collections.abc import Mapping
from typing import Any

DEPTH = 64
"""Mappings and lists in each other, at most; deeper ones exhaust the stack of whoever walks them."""
BITS = 128
"""Of a whole number: tokenizers write 10^30 for "no limit"."""


class NotPlainError(ValueError):
    """A value has no place in a file; the message says which and what to do."""


def as_plain(value: Any) -> Any:
    """The same as files hold it: dicts for mappings, lists for tuples, and null for what is undefined or infinite."""
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def whole(digits: str) -> int:
    """A whole number from its digits.

    Raises:
        NotPlainError: If it needs more than `BITS`.
    """
    if len(digits) <= BITS and abs(value := int(digits)) < 2**BITS:
        return value
    raise NotPlainError(f"a whole number of {len(digits)} digits is too large; write it with an exponent, or as text")


def check_text(text: str) -> None:
    """Refuse halves of surrogate pairs, which can be neither printed nor stored, and NUL, which ends no path.

    Raises:
        NotPlainError: If there is one.
    """
    if "\0" in text:
        raise NotPlainError(f"text {text[:40]!r} holds a NUL; leave it out")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise NotPlainError(f"text {text[:40]!r} holds half of a character (a lone surrogate); write it out")


def check_plain(content: Any) -> None:
    """Walk through all of a content, without recursion.

    Raises:
        NotPlainError: If it is nested too deeply, or a text is none.
    """
    level, depth = [content], 0
    while level:
        if depth > DEPTH:
            raise NotPlainError(f"is nested more than {DEPTH} levels deep; flatten it")
        below = []
        for value in level:
            if isinstance(value, str):
                check_text(value)
            elif isinstance(value, Mapping):
                below += value.values()
                for key in value:
                    check_text(key)
            elif isinstance(value, list):
                below += value
        level, depth = below, depth + 1
