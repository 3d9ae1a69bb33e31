"""Which number an answer settles on, however it is written out."""

import math
import re
from dataclasses import dataclass

from hpo_bench.evaluation.reading.form import RAISED, compatible

_THIN_SPACE = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
"""Between groups of three digits; a plain space may as well stand between two numbers."""
_RAISED = re.compile(rf"(?<![{RAISED}])(?=[{RAISED}])")
_FRACTION = re.compile(r"(\d?)\\[cdt]?frac\s*(\{[^{}]*\}|\d)\s*(\{[^{}]*\}|\d)")
"""LaTeX leaves braces out around one digit, as in \\frac12."""
# Each makes plain text of one thing that LaTeX, or a hand, writes otherwise; one after the other.
_PLAINER = (
    (re.compile(r"\{,\}|(?<=\d)\\[,!]\s*(?=\d{3}(?!\d))"), ","),
    (re.compile(r"(\\[A-Za-z]+)(?=[\d.])"), r"\1 "),
    # Two stars are a power between what is raised and a number, and else mark what is bold, as in 3 + 2 = **5**.
    (re.compile(r"(?<=[A-Za-z0-9)])( ?)\*\*\1(?=[-+]?\d)(?![-+]?[\d.,]+%?\*\*)"), "^"),
    (re.compile(r"([\^_])[{(]\s*([^{}()]*?)\s*[)}]"), r"\1\2"),
    (re.compile(r"(?<=\d)\s*(?:[×x*·⋅]|\\times|\\cdot)\s*10\s*\^\s*(?=[-+]?\d)"), "e"),
    (re.compile(r"(?<=\d)\s*(?:\\?%|per ?cent\b|パーセント)", re.IGNORECASE), "%"),
)
_NUMBER = re.compile(
    r"(?P<sign>(?<![A-Za-z0-9])[-+])?"  # between digits or letters it is a hyphen, as in 10-20
    r"(?:(?P<whole>\d{1,3})[^\S\n]+(?=\d+/\d))?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)(?:\.\d+)?|(?<![A-Za-z0-9])\.\d+)"
    r"(?:e(?P<ten>[-+]?\d+))?(?:\^(?P<power>[-+]?\d+))?(?:/(?P<below>\d+(?:\.\d+)?))?(?P<percent>%)?",
    re.IGNORECASE,
)
_PART_OF_A_WORD = re.compile(r"[A-Za-z^]|(?<=[^\W_]|[)}])_")
"""Before a number; an underscore behind nothing marks what is emphasised, as in 3 + 2 = _5_."""
_COMMA = re.compile(r"\d,$")


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number, and how it was written.

    Attributes:
        written: Its value, per cents left aside.
        percent: Whether it was written in per cent.
        plain: Whether it is a whole number, digit by digit, so that nobody rounded it.
        behind_comma: Whether a digit and a comma stand before it, as in 3,5.
    """

    written: float
    percent: bool
    plain: bool
    behind_comma: bool

    @property
    def value(self) -> float:
        """The number itself: a hundredth of what was written in per cent."""
        return self.written / 100 if self.percent else self.written


def last_number(text: str) -> WrittenNumber | None:
    r"""The last number of a text; None if there is none.

    One that is part of a word, a unit or a name (m2, cm^2, H2O) counts only where there is no other.

    Args:
        text: In any script. Numbers may be 1,234.5, 1,00,000, -3e4, 3.2 × 10^5, 10⁵, 1/2, 2 1/2, ¾, `\frac{3}{4}` or
            12%.
    """
    plainer = compatible(_RAISED.sub("^", _THIN_SPACE.sub("", text))).replace("−", "-")
    plainer = _FRACTION.sub(_fraction, plainer)
    for pattern, instead in _PLAINER:
        plainer = pattern.sub(instead, plainer)
    named = None
    for found in reversed(list(_NUMBER.finditer(plainer))):
        value = _value(found)
        if value is None:
            continue
        read = WrittenNumber(
            value,
            found["percent"] is not None,
            not any(found[part] for part in ("whole", "ten", "power", "below")) and "." not in found["digits"],
            _COMMA.search(plainer, 0, found.start()) is not None,
        )
        if not _PART_OF_A_WORD.match(plainer, found.start() - 1, found.start()):
            return read
        named = named or read
    return named


def _fraction(found: re.Match[str]) -> str:
    above, below = (found[part].strip("{} ") for part in (2, 3))
    return f"{found[1]} {above}/{below}".strip()


def _value(found: re.Match[str]) -> float | None:
    """What it comes to; None where that is no number, as of 1/0."""
    try:
        value = float(found["digits"].replace(",", "") + (f"e{found['ten']}" if found["ten"] else ""))
        value = value ** int(found["power"]) if found["power"] else value
        below = float(found["below"]) if found["below"] else 1.0
        whole = float(found["whole"]) if found["whole"] and value < below else 0.0
        value = whole + value / below
    except (OverflowError, ZeroDivisionError, ValueError):
        return None
    if not math.isfinite(value):
        return None
    return -value if found["sign"] == "-" else value
