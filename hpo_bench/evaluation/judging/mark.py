"""The mark in a judge's reply, which says more than was asked for often enough."""

import re

from hpo_bench.evaluation.reading.form import compatible

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)"
_TOUCHED = r"(?<![\w./])"
_SAID = re.compile(
    rf"(?i:score|mark|rating|grade|評価|点数|得点|评分)[\s:*_=\"']*(?:is|of|は)?[\s:*_\"']*({_NUMBER})(?![\d.]*\s*/\s*\d)"
)
"""Of 1/2 the first number is no mark; where the second is the scale, that was seen before."""
_ALONE = re.compile(rf"[\s*_\"'`(]*({_NUMBER})[\s*_\"'`).]*")
_FIRST = re.compile(rf"[\s*_\"'`(]*({_NUMBER})(?![\w/%]|[.)]\s|\.\d|\s*(?:out of|or|to|[-–—~〜])\s*\d)")
_THOUSANDS, _COMMA = re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), re.compile(r"(?<=\d),(?=\d)")


def mark_in(reply: str, *, scale: float) -> float | None:
    """The number from 0 to `scale` that a reply gives as its mark; None if that is not plainly one.

    That is the number before "/10" or "out of 10", where 10 is the scale; else the one after "score" or the like; else
    the only one; else that of a line of its own; else the one that the reply begins with. Where one of these ways finds
    two that differ, nobody knows which was meant. Digits and marks of full width are those of ASCII, and 0,8 is 0.8.

    Args:
        reply: What the judge said.
        scale: The best mark.

    Examples:
        >>> mark_in("**Score:** 2/10. It names 1 of 4.", scale=10), mark_in("0 or 1?", scale=1)
        (2.0, None)
    """
    reply = _COMMA.sub(".", _THOUSANDS.sub("", compatible(reply)))
    best = rf"{re.escape(f'{scale:g}')}(?:\.0+)?(?![\d.]*\d)"
    lines = [line for line in reply.splitlines() if line.strip()]
    ways = (
        re.findall(rf"{_TOUCHED}({_NUMBER})\s*(?:/|out of|of)\s*{best}", reply),
        _SAID.findall(reply),
        re.findall(_NUMBER, reply),
        [found[1] for line in lines if (found := _ALONE.fullmatch(line))],
        [found[1] for found in [_FIRST.match(reply)] if found],
    )
    for way, numbers in enumerate(ways):
        marks = {float(number) for number in numbers}
        if len(marks) == 1:
            (mark,) = marks
            return mark if 0 <= mark <= scale else None
        if marks and way != 2:
            return None
    return None
