"""Printing what others wrote: a name or an error text may hold anything, and a terminal obeys much of it."""

import re

import click

LONGEST = 2000
"""Characters of an error that are shown; a library may put a whole file into one."""
# What a terminal obeys, what turns the direction of reading, ends of lines that are none, and what no encoding has.
_OBEYED = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_IN_A_TEXT, _IN_A_LINE = re.compile(f"[{_OBEYED}]"), re.compile(f"[{_OBEYED}\t\n]")


_USER = re.compile(r"(?<=//)[^/\s'\"]*@")
_NAMED = re.compile(r"(?i)\b(password|passwd|pwd|secret|token|api_?key)=[^&;\s'\"]+")


def without_passwords(text: str) -> str:
    """The text with `***` for user and password of every URL in it, and for what a query of one calls a password."""
    return _NAMED.sub(r"\1=***", _USER.sub("***@", text))


def escaped(text: str) -> str:
    r"""The text with what a terminal would obey as `\u001b`, which JSON reads as it was; line feeds and tabs stay."""
    return _IN_A_TEXT.sub(_code, text)


def in_a_line(text: str) -> str:
    """The same in one line, the middle of a long one left out: its beginning says what is wrong, its end what to do."""
    shown = _IN_A_LINE.sub(_code, text.strip())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2]} […] {shown[-LONGEST // 2 :]}"


def say(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text.

    Args:
        text: The text, of one line or more.
        err: Whether to standard error.
        nl: Whether a line feed follows.
    """
    click.echo(escaped(str(text)), err=err, nl=nl)


def _code(match: re.Match[str]) -> str:
    return {"\n": r"\n", "\t": r"\t"}.get(match[0], f"\\u{ord(match[0]):04x}")
