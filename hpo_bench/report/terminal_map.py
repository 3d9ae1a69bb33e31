"""A landscape as coloured numbers in the terminal; plain numbers where there are no colours."""

from itertools import combinations

import numpy as np
from matplotlib import colormaps
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from landscapes.landscape import Landscape

STEPS = 11
"""Cells along each side of a map."""
STAR = "*"


def draw(landscape: Landscape) -> RenderableType:
    """One map for each two hyperparameters, the others held at the optimum, which is marked by a star.

    Scores are in thousandths of the card's unit where they lie in [-1, 1], else rounded to three digits.
    """
    if landscape.space.dim == 1:
        return _curve(landscape)
    maps = [_map(landscape, x, y) for x, y in combinations(range(landscape.space.dim), 2)]
    return Group(*(Padding(one, (0, 0, 1, 0)) for one in maps))


def _map(landscape: Landscape, x: int, y: int) -> Text:
    space, best = landscape.space, landscape.optimum.x
    across, up = (np.linspace(space.low[axis], space.high[axis], STEPS) for axis in (x, y))
    settings = np.tile(best, (STEPS * STEPS, 1))
    settings[:, x], settings[:, y] = np.tile(across, STEPS), np.repeat(up, STEPS)
    scores = landscape.score(settings).reshape(STEPS, STEPS)
    star = int(np.abs(up - best[y]).argmin()), int(np.abs(across - best[x]).argmin())
    others = [f"{n} = {best[i]:.3g}" for i, n in enumerate(space.names) if i not in (x, y)]
    text = Text(f"{space.names[y]} (up) by {space.names[x]} (across){', at ' if others else ''}{', '.join(others)}\n")
    for row in reversed(range(STEPS)):
        text.append(f"{up[row]:>8.3g} ")
        for column in range(STEPS):
            text.append_text(_cell(landscape, scores[row, column], starred=(row, column) == star))
        text.append("\n")
    text.append(" " * 9 + "".join(f"{value:^5.2g}" for value in across))
    return text


def _curve(landscape: Landscape) -> Text:
    space = landscape.space
    values = np.linspace(space.low[0], space.high[0], STEPS)
    star = int(np.abs(values - landscape.optimum.x[0]).argmin())
    text = Text(f"by {space.names[0]}\n ")
    for place, score in enumerate(landscape.score(values[:, None])):
        text.append_text(_cell(landscape, float(score), starred=place == star))
    text.append("\n " + "".join(f"{value:^5.2g}" for value in values))
    return text


def _cell(landscape: Landscape, score: float, *, starred: bool) -> Text:
    share = float(np.clip((score - landscape.minimum.score) / landscape.range, 0, 1))
    red, green, blue, _ = colormaps["viridis"](share, bytes=True)
    ink = "black" if share > 0.6 else "white"
    small = max(abs(landscape.optimum.score), abs(landscape.minimum.score)) <= 1
    number = f"{1000 * score:.0f}" if small else f"{score:.3g}"
    style = Style(color=ink, bgcolor=f"rgb({red},{green},{blue})", bold=starred)
    return Text(f"{STAR if starred else ' '}{number:>3} "[:5].ljust(5), style=style)
