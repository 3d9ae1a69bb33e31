"""Printing what others wrote: a name or an error text may hold anything, and a terminal obeys much of it."""

import os
import re

import click

LONGEST = 2000
"""Characters of an error that are shown; a library may put a whole file into one."""
# What a terminal obeys, what turns the direction of reading, ends of lines that are none, and what no encoding has.
_OBEYED = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_IN_A_TEXT, _IN_A_LINE = re.compile(f"[{_OBEYED}]"), re.compile(f"[{_OBEYED}\t\n]")


_USER = re.compile(r"(?<=//)[^/\s'\"]*@")
# Not every token: tokenizers have some for padding and for ends.
_NAMED = re.compile(
    r"(?i)(password|passwd|pwd|secret|api[_-]?key|(?:\b|access_?|auth_?|api_|hf_|hub_)token)(=['\"]?)[^&;\s'\"]+"
)
_HEADER = re.compile(r"(?i)(authorization|api[_-]?key)(['\"]?\s?:\s?['\"]?)(?:\w+ )?[^\s'\",}]+")
_BEARER = re.compile(r"(?i)\b(bearer )(?=[^\s'\",}]{0,200}\d)[^\s'\",}]{8,}")
_SECRET = re.compile(
    r"(?i:(^|[_.-]|api)(key|token|secret|password|passwd|pwd|auth|authorization|credentials?)$)"
    r"|[a-z](Key|Token|Secret|Password)$"
)
_LEAST_SECRET = 8
"""A shorter value of an environment variable may stand in any text by chance."""
_SHELLS_OWN = ("PWD", "OLDPWD")
"""No passwords: shells keep the folder where one stands, and stood before, under these names."""


def is_secret(name: str) -> bool:
    """Whether what is called so, such as `api_key`, `accessToken` or `X-Auth`, is to be shown to nobody."""
    return _SECRET.search(name) is not None


def without_passwords(text: str) -> str:
    """The text with `***` for what is secret in it by its place.

    That is user and password of every URL, what a query, an assignment or an HTTP header calls a password or a key, and
    bearer tokens.
    """
    for secret, shown in ((_USER, "***@"), (_HEADER, r"\1\2***"), (_NAMED, r"\1\2***"), (_BEARER, r"\1***")):
        text = secret.sub(shown, text)
    return text


def publishable(text: str) -> str:
    """The text of an error as it may be shown and kept.

    It is without passwords, and without the values of environment variables that are called a key, a token or a secret,
    such as that of a judge: libraries quote them where they like.
    """
    text = without_passwords(text)
    for name, value in os.environ.items():
        if len(value) >= _LEAST_SECRET and is_secret(name) and name not in _SHELLS_OWN:
            text = text.replace(value, "***")
    return text


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
