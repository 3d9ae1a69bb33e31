"""Rows of examples, whatever they were read from, and the texts in their cells."""

import ast
import io
import json
import math
import tokenize
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hpo_bench.evaluation.reading.form import composed


class FlawError(ValueError):
    """What is wrong with an example; whoever reads the file says where it stands."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file.

    Attributes:
        where: "row 3", "line 3" or "key '17'"; rows and lines are counted from 1.
        values: Cells by column.
        flaw: Why there are no values; empty where there are.
    """

    where: str
    values: Mapping[str, Any]
    flaw: str = ""


def is_nothing(value: Any) -> bool:
    """Whether a cell is empty: null, NaN, or text without a letter."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def text(value: Any, what: str, *, may_be_empty: bool = False) -> str:
    """A text as models know it (`form.composed`), or a number as it is written.

    3.0 is 3, as tables make it of whole numbers when one is missing.

    Args:
        value: A cell.
        what: What stands there, for messages.
        may_be_empty: Whether spaces alone will do.

    Raises:
        FlawError: If it is neither.
    """
    if value is None or value != value:
        raise FlawError(f"{what} is missing")
    if isinstance(value, bool):
        raise FlawError(f"{what} is {str(value).lower()}, not text; write the word that is meant, such as yes or no")
    if isinstance(value, float) and math.isinf(value):
        raise FlawError(f"{what} is infinite")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        raise FlawError(f"{what} is a list; choose one, as text")
    if not isinstance(value, str):
        raise FlawError(f"{what} is {type(value).__name__}, not text")
    value = composed(value)
    if not value.strip() and not may_be_empty:
        raise FlawError(f"{what} is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FlawError(f"{what} has half a character in it (a lone surrogate); write it again") from None
    return value


def listed(value: Any) -> Any:
    """A list where a text spells one, as tables do that know no lists, in JSON or as Python does; all else as it is.

    Raises:
        FlawError: If the text spells what numpy prints of an array, without commas, which joins its texts.
    """
    if not isinstance(value, str) or not (value.lstrip()[:2] in ("['", '["', "[]") and value.rstrip().endswith("]")):
        return value
    with suppress(ValueError, RecursionError):
        return json.loads(value)
    try:
        found = ast.literal_eval(value.strip())
        tokens = [one.type for one in tokenize.generate_tokens(io.StringIO(value.strip()).readline)]
    except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return value
    if (tokenize.STRING, tokenize.STRING) in pairwise(tokens):
        raise FlawError(f"{value[:40]!r} is a list without commas, as numpy prints one; write it as JSON")
    return found if isinstance(found, list) else value
