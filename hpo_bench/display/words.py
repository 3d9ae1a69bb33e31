"""Numbers as people read them, the same in the terminal and on the page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo_bench.statistics import Interval

UNDEFINED = "–"
DOMAINS = {"language": "language", "maths": "maths", "instructions": "instructions", "other": "other"}
METHODS = {"ta": "TA", "dare": "DARE", "ties": "TIES", "other": "other"}


def figure(value: float, form: str = "z.1f") -> str:
    """A number in a format; a dash where it is NaN: what is not measured has no figure."""
    return UNDEFINED if math.isnan(value) else f"{value:{form}}"


def number(value: float | None) -> str:
    """Two decimals for ratios and regrets; small ones are not rounded to nothing, and negative ones keep their sign."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if 0 < abs(value) < 0.005:
        return "<0.01" if value > 0 else ">-0.01"
    return f"{value:z.2f}" if abs(value) < 99.995 else f"{value:.0f}"


def significant(value: float, *, within: float | None = None) -> str:
    """Three significant digits at any scale: `0.432`, `61.2`, `1240`, `0.00021`, `8e-6`.

    Args:
        value: The number, which must be finite.
        within: Width of the range that it is from. Where the range is far narrower than the number, there are more
            digits, by which numbers in it differ; where the number is rounding beside the range, it is zero.
    """
    digits = 3
    if not value or (within and abs(value) < 1e-9 * within):
        return "0"
    if within:
        digits += min(max(0, math.floor(math.log10(abs(value)) - math.log10(within))), 12)
    text, _, exponent = f"{value:.{digits}g}".partition("e")
    if not exponent:
        return text
    return f"{value:.0f}" if 0 <= int(exponent) < 6 else f"{text}e{int(exponent)}"


def score(value: float, *, within: float) -> str:
    """Three decimals, which align; of scores whose range is small, as many digits as tell them apart.

    Args:
        value: The score.
        within: Width of the range that it is from.
    """
    return f"{value:z.3f}" if within > 0.01 else significant(value, within=within)


def brackets(band: Sequence[float | None]) -> str:
    """`[0.82, 1.16]`."""
    low, high = band
    return UNDEFINED if low is None else f"[{number(low)}, {number(high)}]"


def interval(figures: Mapping[str, float | None]) -> str:
    """`0.31 [0.20, 0.52]`; `<0.01` where all three are, and the estimate alone where it has no interval."""
    if figures["value"] is None:
        return UNDEFINED
    if figures["low"] is None:
        return number(figures["value"])
    estimate, around = number(figures["value"]), brackets((figures["low"], figures["high"]))
    return estimate if around == f"[{estimate}, {estimate}]" else f"{estimate} {around}"


def bracketed(found: "Interval", form: str, *, times: float = 1.0) -> str:
    """An interval in a format of one's own: `+2.0 [+1.0, +3.0]`; the estimate alone where it has no ends.

    Args:
        found: The interval.
        form: Format of all three numbers, as behind the colon of an f-string.
        times: What they are multiplied by: 100 for points.
    """
    value, low, high = (times * one for one in (found.value, found.low, found.high))
    if math.isnan(value):
        return UNDEFINED
    return f"{value:{form}}" if math.isnan(low) else f"{value:{form}} [{low:{form}}, {high:{form}}]"


def multiple(budget: Mapping[str, float]) -> str:
    """An equivalent random budget as a multiple of the budget that was spent, or what it is at least."""
    beyond = "≥ " if budget["at_least"] else ""
    times = budget["median_multiple"]
    return f"{beyond}{times:.1f}×" if times < 10 else f"{beyond}{times:.0f}×"


def seconds(value: float) -> str:
    """Seconds to two significant digits, or whole ones."""
    if value >= 99.5:
        return f"{value:.0f}"
    return f"{value:.2g}" if value >= 1e-4 else "<0.0001"


def percent(fraction: float) -> str:
    """A fraction of a landscape's range in per cent."""
    return f"{100 * fraction:z.1f}%"


def probability(value: float | None) -> str:
    """A probability to two decimals; small ones are not rounded to nothing, nor great ones to certainty."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if value < 0.005:
        return "<.01"
    return ">.99" if value > 0.995 else f"{value:.2f}".removeprefix("0")


def p_value(value: float | None) -> str:
    """A p the same way, with as many more decimals as say on which side of .05 it is."""
    rounded, digits = probability(value), 3
    if value is None or rounded != ".05":
        return rounded
    while float(rounded := f"{value:.{digits}f}") == 0.05 != value:
        digits += 1
    return rounded.removeprefix("0")


def count(value: float | None) -> str:
    """A number of evaluations; what never came in the time given was not reached."""
    return "not reached" if value is None else f"{value:.0f}"


def expense(value: float) -> str:
    """Hours or dollars: `12.40`; below a tenth two significant digits, as a budget may be as small: `0.0019`."""
    return f"{value:.2g}" if 0 < value < 0.0995 else f"{value:.2f}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 landscape`, `30 landscapes`, `2,100 runs`.

    Args:
        number: How many.
        one: The word for one.
        many: For none or several; with an s by default.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`; empty for none."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def verdicts(reference: str, *, better: Sequence[str], worse: Sequence[str], undecided: Sequence[str]) -> str:
    """Against whom an optimiser is significantly better and worse, in a sentence without its full stop.

    Args:
        reference: Who it is about.
        better: Names of those against whom it is better.
        worse: Of those against whom it is worse.
        undecided: Of all others.
    """
    said = [f"{word} than {listed(names)}" for word, names in (("better", better), ("worse", worse)) if names]
    if not said:
        return (
            f"Between {listed([reference, *undecided])} nothing is significant"
            if len(undecided) == 1
            else (f"Between {reference} and each of {listed(undecided)} nothing is significant")
        )
    sentence = f"{reference} is significantly {' and '.join(said)}"
    return f"{sentence}; against {listed(undecided)} nothing is significant" if undecided else sentence


def share(fraction: float) -> str:
    """A share of runs, or a chance, in whole per cent; few are not rounded to none, nor nearly all to all."""
    # Halves are rounded to even: of 200 runs one would be none, and 199 all.
    if 0 < fraction <= 0.005:
        return "<1%"
    return ">99%" if 0.995 <= fraction < 1 else f"{100 * fraction:.0f}%"


def some(names: Iterable[str], at_most: int = 3) -> str:
    """A few names, and how many more there are."""
    listed = sorted(names)
    if not listed:
        return "none"
    return ", ".join(listed[:at_most]) + (f" and {len(listed) - at_most} more" if len(listed) > at_most else "")


def first_line(error: BaseException) -> str:
    """What another library's exception says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def gib(count: float) -> str:
    """Bytes for people: "13.4 GiB", "3.1 MiB"."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.1f} KiB"
