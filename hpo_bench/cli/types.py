"""What can be typed behind an option: words, numbers, places; of words that are wrong the nearest is named."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hpo_bench.files import check_file, check_folder
from landscapes.errors import LandscapeError
from surrogates.spelling import offer


class Choice(click.Choice[str]):
    """One of several words, of which the nearest is named where another was typed."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word."""
        known = list(map(str, self.choices))
        if value not in known:
            self.fail(f"{value!r} is not known; {offer(value, known)}", param, ctx)
        return str(value)


class Whole(click.IntRange):
    """A whole number in a range; what is none is told so, and not that it is no `integer range`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        try:
            int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number{_within(self)}", param, ctx)
        return super().convert(value, param, ctx)


def _within(one: click.IntRange | click.FloatRange) -> str:
    """Where a number must lie, to stand behind it; "" where it may lie anywhere."""
    low, high = one.min, one.max
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    beyond = "above" if one.min_open else "of at least"
    return f" {beyond} {low:g}" if low is not None else f" of at most {high:g}" if high is not None else ""


class _Finite(click.ParamType):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            float(value)
        except ValueError:
            where = _within(self) if isinstance(self, click.FloatRange) else ""
            self.fail(f"{value!r} is not a number{where}", param, ctx)
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Number(_Finite, click.types.FloatParamType):
    """A finite number: NaN compares with nothing, so that it would lift every limit."""


class NumberRange(_Finite, click.FloatRange):
    """A finite number in a range."""


class Place(click.Path):
    """A file or a folder; an empty name, as of a variable that is not set, is not the folder where one stands."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if value == "":
            self.fail("an empty name is no place; name one, or . for this folder", param, ctx)
        return super().convert(value, param, ctx)


class Written(Place):
    """A place that a command writes to at its end; whether it can is seen before any work.

    Args:
        folder: Whether it is a folder, which need not be there yet.
    """

    def __init__(self, *, folder: bool) -> None:
        super().__init__()
        self.folder = folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        check_folder(path) if self.folder else check_file(path)
        return path


class Read(click.ParamType):
    """Text that a function reads, whose complaint then names the option.

    Args:
        name: How help shows it, such as NAME=VALUE.
        reader: What the text means; raises ValueError, or an error of a landscape, if that is nothing.
        wrong: What is then said behind what was typed; the error of a landscape says it itself.
    """

    def __init__(self, name: str, reader: Callable[[str], Any], *, wrong: str = "") -> None:
        self.name, self._reader, self._wrong = name, reader, wrong

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What the function makes of it; a default stands as it is."""
        try:
            return self._reader(value) if isinstance(value, str) else value
        except LandscapeError as error:
            self.fail(str(error), param, ctx)
        except ValueError:
            self.fail(f"{value!r} {self._wrong}", param, ctx)
