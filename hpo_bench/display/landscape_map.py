"""A map of each landscape: the surrogate, what was recorded, and where the optimum lies."""

import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray

from hpo_bench.display.figures import PAGE_INCHES, blank, encode, house_style, provenance
from hpo_bench.display.words import significant
from landscapes.cache import code_hash
from landscapes.landscape import Landscape
from landscapes.trust import marked

PAGE_DPI = 100
SOFT_EVERYWHERE = "#7A8794"
BEST = "#E8352E"
DASHES = (0, (4, 2.5))
PIXELS = 81
CONTOURS = 9
SLICES = 5
ACROSS = 3
"""Maps beside one another where every two hyperparameters have one."""
NEAR = 0.02
"""Slices of the third hyperparameter nearer than this fraction of its span, on its scale, are not drawn apart."""
WORDS = {"vl_weight": "VLM weight", "exp_weight": "expert weight", "density": "density"}


def title(landscape: Landscape) -> str:
    """Its name, marked where it is weak, or the numbers are made up."""
    return marked(landscape) + (" (SYNTHETIC)" if landscape.card.synthetic else "")


def caption(landscape: Landscape) -> str:
    """Optimum, range, noise and what the VLM as it is has of a landscape in a line."""
    card, best = landscape.card, landscape.optimum
    highest, lowest = (significant(end.score, within=landscape.range) for end in (best, landscape.minimum))
    where = ", ".join(at(landscape, axis, value) for axis, value in enumerate(best.x))
    vlm = "" if np.isnan(landscape.vlm) else f"; the VLM as it is {significant(landscape.vlm, within=landscape.range)}"
    noise = "" if np.isnan(landscape.noise) else f", standard error of one evaluation {significant(landscape.noise)}"
    return (
        f"{title(landscape)} ({card.tier}, {card.domain}, {card.benchmark}): maximum {highest} at {where}; "
        f"minimum {lowest}{vlm}; {len(landscape.grid)} recorded settings{noise}."
    )


def at(landscape: Landscape, axis: int, value: float) -> str:
    """A hyperparameter and its value: `expert weight 0.432`, `lr 0.00021`."""
    side = landscape.space.parameters[axis]
    within = side.high - side.low if side.scale == "linear" else None
    return f"{_named(landscape, axis)} {significant(value, within=within)}"


def describe(landscape: Landscape) -> str:
    """The map in words, for those who cannot see it."""
    kind = "curve" if landscape.space.dim == 1 else "heat map"
    return f"{kind.capitalize()} of the {landscape.card.tuning_split} score. {caption(landscape)}"


def draw(landscape: Landscape) -> Figure:
    """The score over the first two hyperparameters, a panel a slice of the third, with what was recorded nearest to it.

    Beyond three, a panel for every two hyperparameters, the others held at the optimum, with all that was recorded.
    """
    with house_style():
        if landscape.space.dim == 1:
            return _curve(landscape)
        panels = _slices(landscape) if landscape.space.dim < 4 else _pairs(landscape)
        across = min(len(panels), SLICES if landscape.space.dim < 4 else ACROSS)
        rows = -(-len(panels) // across)
        width = 4.4 if across == 1 else PAGE_INCHES
        height = 4.15 if across == 1 else 1.2 + rows * PAGE_INCHES / (across + 0.55)
        figure = blank(width, height, shaped=True)
        grid = figure.subplots(rows, across, squeeze=False, sharey=rows == 1).ravel()
        norm = Normalize(landscape.minimum.score, landscape.optimum.score)
        images = [_draw_panel(axis, landscape, panel, norm) for axis, panel in zip(grid, panels, strict=False)]
        for axis in grid[len(panels) :]:
            axis.set_visible(False)
        for axis in grid[1:across] if rows == 1 else ():
            axis.set_ylabel("")
        figure.suptitle(title(landscape), x=0.012, ha="left", fontsize=10, fontweight="bold")
        label = f"{landscape.card.units}, {landscape.grid.split}"
        # So far from the maps that it keeps clear of the marks on their edges.
        pad = 0.05 if across == 1 else 0.02
        bar = figure.colorbar(images[-1], ax=list(grid), fraction=0.05, pad=pad, aspect=18 * rows, label=label)
        _explain(figure, landscape, _recorded(landscape, panels))
        bar.outline.set_visible(False)
    return figure


def encoded(landscape: Landscape) -> dict[str, bytes]:
    """The map as PNG and SVG, by suffix."""
    with _lacking_letters():
        return encode(draw(landscape), provenance([landscape]))


def for_page(landscape: Landscape) -> dict[str, bytes]:
    """The map as files by suffix, for workers, to whom figures cannot be sent: SVG, what is drawn, and WebP.

    The last, small, without a ground and with words in a grey that is legible on white and on dark, is for a page that
    shows many; there is no PNG, which takes as long as all else and which `landscapes show` writes of the one map that
    somebody wants. As a map takes a second, it is kept in the user's cache.
    """
    files = landscape.kept("map", lambda: _drawn(landscape), code=_code())
    return {suffix: b64decode(content) for suffix, content in files.items()}


@cache
def _code() -> str:
    return code_hash([Path(__file__).parent], ["matplotlib", "pillow"])


def _drawn(landscape: Landscape) -> dict[str, str]:
    """The files of a page's map by suffix, in base64."""
    with _lacking_letters(), house_style():
        figure = draw(landscape)
        files = encode(figure, provenance([landscape]), ["svg"])
        for text in figure.findobj(Text):
            text.set_color(SOFT_EVERYWHERE)
        small = BytesIO()
        figure.savefig(small, format="webp", dpi=PAGE_DPI, transparent=True, pil_kwargs={"quality": 60})
    files |= {"csv": data(landscape).to_csv(index=False).encode(), "webp": small.getvalue()}
    return {suffix: b64encode(content).decode() for suffix, content in files.items()}


@contextmanager
def _lacking_letters() -> Iterator[None]:
    """Without a warning for each letter that the font lacks, which is a box then: owners name them freely."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def data(landscape: Landscape) -> pd.DataFrame:
    """The recorded settings and their scores, and the certified optimum."""
    grid, best, names = landscape.grid, landscape.optimum, list(landscape.space.names)
    recorded = pd.DataFrame(grid.X, columns=names).assign(score=grid.scores, what="recorded")
    optimum = pd.DataFrame([best.x], columns=names).assign(score=best.score, what="optimum of the surrogate")
    return pd.concat([recorded, optimum], ignore_index=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """A map over two hyperparameters.

    Attributes:
        sides: Which two, across and up.
        held: The setting that the others are held at, of shape (d,).
        rows: Which recorded settings are shown, the last on top.
    """

    sides: tuple[int, int]
    held: NDArray[np.float64]
    rows: NDArray[np.intp]


def _slices(landscape: Landscape) -> list[_Panel]:
    """Recorded levels of the third hyperparameter (evenly thinned) and, between them, the level of the optimum.

    Where the optimum is as good as on a recorded level, the two are one slice. What was recorded is in the slice that
    it is nearest to, the nearest on top: on its own level in a grid, and somewhere in an irregular design, too.
    """
    best, rows = landscape.optimum.x, np.arange(len(landscape.grid))
    if landscape.space.dim < 3:
        return [_Panel((0, 1), best, rows)]
    levels = np.unique(landscape.grid.X[:, 2])
    if len(levels) >= SLICES:
        levels = levels[np.linspace(0, len(levels) - 1, SLICES - 1).round().astype(int)]
    # On the side's own scale: of 0.0003 between 0.0001 and 0.1 the distances themselves say nothing.
    warp = np.log if landscape.space.parameters[2].scale == "log" else np.asarray
    if np.abs(warp(levels) - warp(best[2])).min() >= NEAR * np.ptp(warp(levels)):
        levels = np.sort([*levels, best[2]])
    distance = np.abs(warp(landscape.grid.X[:, 2, None]) - warp(levels))
    order = rows[np.argsort(-distance.min(axis=1), kind="stable")]
    nearest = distance.argmin(axis=1)[order]
    return [_Panel((0, 1), np.array([*best[:2], level]), order[nearest == i]) for i, level in enumerate(levels)]


def _pairs(landscape: Landscape) -> list[_Panel]:
    """Every two hyperparameters, the others held at the optimum."""
    rows = np.arange(len(landscape.grid))
    return [_Panel(sides, landscape.optimum.x, rows) for sides in combinations(range(landscape.space.dim), 2)]


def _recorded(landscape: Landscape, panels: Sequence[_Panel]) -> str:
    """What dots are, and where they lie if not where they are shown."""
    if landscape.space.dim > 3:
        return "all that was recorded, whatever its other hyperparameters, which maps hold at the optimum"
    off = landscape.space.dim == 3 and any(np.any(landscape.grid.X[p.rows, 2] != p.held[2]) for p in panels)
    return "recorded, in the nearest slice" if off else "recorded"


def _explain(figure: Figure, landscape: Landscape, recorded: str) -> None:
    """Say what marks are, in a grey that is legible on white and on dark."""
    handles = [
        Line2D([], [], color=SOFT_EVERYWHERE, marker="o", ms=5, mfc="none", ls="", label=recorded),
        Line2D([], [], color=BEST, marker="*", ms=9, mec="white", ls="", label="optimum"),
    ]
    if {"vl_weight", "exp_weight"} <= set(landscape.space.names):
        handles.append(Line2D([], [], color=SOFT_EVERYWHERE, ls=DASHES, lw=1.1, label="weights add up to 1"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5, borderpad=0.2)


def _draw_panel(axis: Axes, landscape: Landscape, panel: _Panel, norm: Normalize) -> ScalarMappable:
    space, best, (i, j) = landscape.space, landscape.optimum.x, panel.sides
    x, y = (space.parameters[side].spread(PIXELS) for side in (i, j))
    settings = np.tile(panel.held, (len(x) * len(y), 1))
    settings[:, i], settings[:, j] = (values.ravel() for values in np.meshgrid(x, y))
    scores = landscape.score(settings).reshape(len(y), len(x))
    plain = not (space.parameters[i].kinds or space.parameters[j].kinds)
    if plain:
        box = (space.low[i], space.high[i], space.low[j], space.high[j])
        image = axis.imshow(scores, extent=box, origin="lower", norm=norm, cmap="viridis", interpolation="bilinear")
    else:
        image = axis.pcolormesh(x, y, scores, norm=norm, cmap="viridis", shading="nearest")
        axis.set_xscale(space.parameters[i].scale)
        axis.set_yscale(space.parameters[j].scale)
    # The same levels in every map, so that maps compare.
    levels = np.linspace(landscape.minimum.score, landscape.optimum.score, CONTOURS + 2)[1:-1]
    if min(scores.shape) > 1:
        axis.contour(x, y, scores, levels=levels, colors="white", linewidths=0.5, alpha=0.55)
    points, size = landscape.grid.X[panel.rows], 20 if space.dim < 4 else 9
    axis.scatter(
        points[:, i], points[:, j], c=landscape.grid.scores[panel.rows], norm=norm, cmap="viridis", s=size,
        edgecolors="white", linewidths=0.9 if space.dim < 4 else 0.5, clip_on=False, zorder=3,
    )  # fmt: skip
    if (space.names[i], space.names[j]) == ("vl_weight", "exp_weight"):
        axis.plot([0, 1], [1, 0], color="white", lw=1.1, ls=DASHES, scalex=False, scaley=False)
    if space.dim == 3:
        axis.set_title(at(landscape, 2, panel.held[2]), fontweight="normal", fontsize=9)
    apart = np.abs(space.warped(panel.held) - space.warped(best))
    if np.all(apart <= NEAR * (space.warped(space.high) - space.warped(space.low))):
        axis.plot(best[i], best[j], "*", ms=14, color=BEST, mec="white", mew=0.9, clip_on=False, zorder=5)
    if plain:
        axis.set_aspect((space.high[i] - space.low[i]) / (space.high[j] - space.low[j]))
        axis.locator_params(nbins=5)
    else:
        axis.set_box_aspect(1)
    axis.set_xlim(space.low[i], space.high[i])
    axis.set_ylim(space.low[j], space.high[j])
    axis.set_xlabel(_named(landscape, i))
    axis.set_ylabel(_named(landscape, j))
    axis.grid(visible=False)
    axis.tick_params(length=0, pad=6)  # Marks on the edge reach into where labels would stand.
    for spine in axis.spines.values():
        spine.set_visible(False)
    return image


def _curve(landscape: Landscape) -> Figure:
    space, best = landscape.space, landscape.optimum
    figure = blank(4.4, 3.6)
    axis = figure.subplots()
    x = space.parameters[0].spread(400)
    axis.set_xscale(space.parameters[0].scale)
    axis.plot(x, landscape.score(x[:, None]), color="#0072B2", lw=1.7)
    axis.plot(landscape.grid.X[:, 0], landscape.grid.scores, "o", color=SOFT_EVERYWHERE, mfc="white", ms=5)
    axis.plot(best.x[0], best.score, "*", ms=14, color=BEST, mec="white")
    axis.set_xlabel(_named(landscape, 0))
    axis.set_ylabel(f"{landscape.card.units}, {landscape.grid.split}")
    axis.set_title(title(landscape))
    _explain(figure, landscape, "recorded")
    return figure


def _named(landscape: Landscape, axis: int) -> str:
    name = landscape.space.names[axis]
    return WORDS.get(name, name)
