"""A landscape as coloured numbers in the terminal; plain numbers where there are no colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from hpo_bench.display.landscape_map import at
from hpo_bench.display.words import significant
from landscapes.landscape import Landscape
from landscapes.space import Parameter

STEPS = 11
"""Cells along each side of a map."""
STAR = "*"
DIGITS = 3
"""How many the greatest number in a cell has."""
LEAST_CELL = 5


def draw(landscape: Landscape) -> RenderableType:
    """One map for each two hyperparameters, the others held at the optimum, which is marked by a star.

    Scores are whole numbers of a power of ten, which is named above, so that the greatest has three digits. Where all
    are nearly the same, it is said from where they are counted.
    """
    scale = ScoreScale.of(landscape)
    if landscape.space.dim == 1:
        return _curve(landscape, scale)
    maps = [_map(landscape, scale, x, y) for x, y in combinations(range(landscape.space.dim), 2)]
    return Group(*(Padding(one, (0, 0, 1, 0)) for one in maps))


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """How the scores of a landscape are written.

    Attributes:
        low: The least.
        high: The greatest.
        base: From where they are counted: zero, or a round number below the least.
        power: Written are whole multiples of ten to this power.
    """

    low: float
    high: float
    base: float
    power: int

    @classmethod
    def of(cls, landscape: Landscape) -> "ScoreScale":
        """The scale of a landscape."""
        low, high = landscape.minimum.score, landscape.optimum.score
        span, step = _magnitude(high - low), 10.0 ** (_magnitude(high - low) + 1)
        base = math.floor(low / step) * step if _magnitude(low, high) - span > 1 else 0.0
        return cls(low, high, base, _magnitude(low - base, high - base) + 1 - DIGITS)

    @property
    def digits(self) -> int:
        """Letters of the longest number."""
        return max(len(self._number(score)) for score in (self.low, self.high))

    @property
    def cell(self) -> int:
        """Letters of a cell."""
        return max(self.digits + 1, LEAST_CELL)

    def write(self, score: float, *, starred: bool) -> Text:
        """A cell."""
        share = float(np.clip((score - self.low) / (self.high - self.low), 0, 1))
        red, green, blue, _ = colormaps["viridis"](share, bytes=True)
        style = Style(color="black" if share > 0.6 else "white", bgcolor=f"rgb({red},{green},{blue})", bold=starred)
        number = f"{STAR if starred else ' '}{self._number(score):>{self.digits}}"
        return Text(number.ljust(self.cell), style=style)

    def _number(self, score: float) -> str:
        return f"{(score - self.base) / 10.0**self.power:z.0f}"

    def __str__(self) -> str:
        above = f" above {significant(self.base, within=self.high - self.low)}" if self.base else ""
        return f"scores{above} in units of 1e{self.power}"


def _magnitude(*values: float) -> int:
    """The power of ten in the greatest of them."""
    return math.floor(math.log10(max(map(abs, values))))


def _map(landscape: Landscape, scale: ScoreScale, x: int, y: int) -> Text:
    space, best = landscape.space, landscape.optimum.x
    across, up = (space.parameters[axis].spread(STEPS) for axis in (x, y))
    settings = np.tile(best, (len(up) * len(across), 1))
    settings[:, x], settings[:, y] = np.tile(across, len(up)), np.repeat(up, len(across))
    scores = landscape.score(settings).reshape(len(up), len(across))
    star = _nearest(space.parameters[y], up, best[y]), _nearest(space.parameters[x], across, best[x])
    others = [at(landscape, axis, best[axis]) for axis in range(space.dim) if axis not in (x, y)]
    where = f", at {', '.join(others)}" if others else ""
    text = Text(f"{space.names[y]} (up) by {space.names[x]} (across){where}; {scale}\n")
    sides = _labels(space.parameters[y], up)
    margin = max(map(len, sides)) + 1
    for row in reversed(range(len(up))):
        text.append(f"{sides[row]:>{margin}} ")
        for column in range(len(across)):
            text.append_text(scale.write(scores[row, column], starred=(row, column) == star))
        text.append("\n")
    text.append(" " * (margin + 2) + _spaced(_labels(space.parameters[x], across), scale.cell))
    return text


def _curve(landscape: Landscape, scale: ScoreScale) -> Text:
    space = landscape.space
    values = space.parameters[0].spread(STEPS)
    star = _nearest(space.parameters[0], values, landscape.optimum.x[0])
    text = Text(f"by {space.names[0]}; {scale}\n ")
    for place, score in enumerate(landscape.score(values[:, None])):
        text.append_text(scale.write(float(score), starred=place == star))
    text.append("\n" + " " * 2 + _spaced(_labels(space.parameters[0], values), scale.cell))
    return text


def _nearest(parameter: Parameter, values: NDArray[np.float64], to: float) -> int:
    """The place of the value that is nearest on the parameter's scale."""
    apart = values - to if parameter.scale == "linear" else np.log(values / to)
    return int(np.abs(apart).argmin())


def _labels(parameter: Parameter, values: NDArray[np.float64]) -> list[str]:
    within = float(np.ptp(values)) if parameter.scale == "linear" else None
    return [significant(float(value), within=within) for value in values]


def _spaced(labels: Sequence[str], cell: int) -> str:
    """Labels under the left of their cells: every one, or every second, fifth or last where they are too long."""
    longest = max(map(len, labels))
    step = next((step for step in (1, 2, 5) if longest < step * cell), max(len(labels) - 1, 1))
    return "".join(label.ljust(step * cell) for label in labels[::step]).rstrip()
