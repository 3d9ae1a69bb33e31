"""A map of each landscape: the surrogate, what was recorded, and where the optimum lies."""

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from hpo_bench.report.style import INK, PAGE_INCHES, blank, encode, house_style, provenance
from landscapes.landscape import Landscape
from landscapes.weakness import MARK

PIXELS = 81
CONTOURS = 9
SLICES = 5
ACROSS = 3
"""Maps beside one another where every two hyperparameters have one."""
NEAR = 0.02
"""Slices of the third hyperparameter nearer than this fraction of its span are not drawn apart."""
WORDS = {"vl_weight": "VLM weight", "exp_weight": "expert weight", "density": "density"}


def title(landscape: Landscape) -> str:
    """`ja-llama / DARE`, marked where it is weak, or the numbers are made up."""
    pair, _, method = landscape.name.partition("/")
    mark = (MARK if landscape.weaknesses else "") + (" (SYNTHETIC)" if landscape.card.synthetic else "")
    return f"{pair} / {method.upper()}{mark}"


def caption(landscape: Landscape) -> str:
    """Optimum, range and noise of a landscape in a line."""
    card, best = landscape.card, landscape.optimum
    where = ", ".join(
        f"{WORDS.get(name, name)} {value:.2f}" for name, value in zip(landscape.space.names, best.x, strict=True)
    )
    noise = "" if np.isnan(landscape.noise) else f", standard error of one evaluation {landscape.noise:.3f}"
    return (
        f"{title(landscape)} ({card.domain}, {card.benchmark}): maximum {best.score:.3f} at {where}; minimum "
        f"{landscape.minimum.score:.3f}; {len(landscape.grid)} recorded settings{noise}."
    )


def describe(landscape: Landscape) -> str:
    """The map in words, for those who cannot see it."""
    kind = "curve" if landscape.space.dim == 1 else "heat map"
    return f"{kind.capitalize()} of the {landscape.card.tuning_split} score. {caption(landscape)}"


def draw(landscape: Landscape) -> Figure:
    """The score over the first two hyperparameters, a panel a slice of the third.

    Beyond three, a panel for every two hyperparameters, the others held at the optimum.
    """
    with house_style():
        if landscape.space.dim == 1:
            return _curve(landscape)
        if landscape.space.dim > 3:
            return _pairwise(landscape)
        slices = _slices(landscape)
        width = 4.4 if len(slices) == 1 else PAGE_INCHES
        height = 3.9 if len(slices) == 1 else 0.95 + PAGE_INCHES / (len(slices) + 0.55)
        figure = blank(width, height)
        axes = figure.subplots(1, len(slices), sharey=True, squeeze=False)[0]
        norm = Normalize(landscape.minimum.score, landscape.optimum.score)
        images = [_map(axis, landscape, level, norm) for axis, level in zip(axes, slices, strict=True)]
        axes[0].set_ylabel(_named(landscape, 1))
        figure.suptitle(title(landscape), x=0.012, ha="left", fontsize=10, fontweight="bold")
        unit = landscape.card.units
        bar = figure.colorbar(
            images[-1], ax=list(axes), fraction=0.05, pad=0.015, aspect=18, label=f"{unit}, {landscape.grid.split}"
        )
        bar.outline.set_visible(False)
    return figure


def encoded(landscape: Landscape) -> dict[str, bytes]:
    """The map as files; for workers, to whom figures cannot be sent."""
    return encode(draw(landscape), provenance([landscape]))


def _slices(landscape: Landscape) -> list[float | None]:
    """Recorded levels of the third hyperparameter (evenly thinned) and, between them, the level of the optimum.

    Where the optimum is as good as on a recorded level, the two are one slice.
    """
    if landscape.space.dim < 3:
        return [None]
    levels = np.unique(landscape.grid.X[:, 2])
    if len(levels) >= SLICES:
        levels = levels[np.linspace(0, len(levels) - 1, SLICES - 1).round().astype(int)]
    best = landscape.optimum.x[2]
    if np.abs(levels - best).min() < NEAR * np.ptp(levels):
        return levels.tolist()
    return sorted([*levels.tolist(), float(best)])


def _map(axis: Axes, landscape: Landscape, level: float | None, norm: Normalize) -> AxesImage:
    space, best = landscape.space, landscape.optimum
    x, y = (np.linspace(space.low[i], space.high[i], PIXELS) for i in (0, 1))
    settings = np.tile(best.x, (PIXELS * PIXELS, 1))
    settings[:, 0], settings[:, 1] = (values.ravel() for values in np.meshgrid(x, y))
    recorded = np.ones(len(landscape.grid), dtype=bool)
    if level is not None:
        settings[:, 2] = level
        recorded = np.isclose(landscape.grid.X[:, 2], level, atol=1e-6)
        axis.set_title(f"{WORDS.get(space.names[2], space.names[2])} {level:.2g}", fontweight="normal", fontsize=9)
    scores = landscape.score(settings).reshape(PIXELS, PIXELS)
    box = (space.low[0], space.high[0], space.low[1], space.high[1])
    image = axis.imshow(scores, extent=box, origin="lower", norm=norm, cmap="viridis", interpolation="bilinear")
    # The same levels in every slice, so that slices compare.
    levels = np.linspace(landscape.minimum.score, landscape.optimum.score, CONTOURS + 2)[1:-1]
    axis.contour(x, y, scores, levels=levels, colors="white", linewidths=0.5, alpha=0.55)
    points = landscape.grid.X[recorded]
    axis.scatter(
        points[:, 0], points[:, 1], c=landscape.grid.scores[recorded], norm=norm, cmap="viridis", s=20,
        edgecolors="white", linewidths=0.9, clip_on=False, zorder=3,
    )  # fmt: skip
    if space.names[:2] == ("vl_weight", "exp_weight"):
        axis.plot([0, 1], [1, 0], color="white", lw=1.1, ls=(0, (4, 2.5)), scalex=False, scaley=False)
    if level is None or np.isclose(level, best.x[2], rtol=0, atol=NEAR * (space.high[2] - space.low[2])):
        axis.plot(*best.x[:2], "*", ms=14, color="#E8352E", mec="white", mew=0.9, clip_on=False, zorder=5)
    axis.set_aspect((space.high[0] - space.low[0]) / (space.high[1] - space.low[1]))
    axis.set_xlim(space.low[0], space.high[0])
    axis.set_ylim(space.low[1], space.high[1])
    axis.set_xlabel(_named(landscape, 0))
    axis.grid(visible=False)
    axis.locator_params(nbins=5)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return image


def _pairwise(landscape: Landscape) -> Figure:
    space, best = landscape.space, landscape.optimum
    sides = list(combinations(range(space.dim), 2))
    rows = -(-len(sides) // ACROSS)
    figure = blank(PAGE_INCHES, 0.6 + rows * PAGE_INCHES / ACROSS)
    axes = figure.subplots(rows, ACROSS, squeeze=False).ravel()
    norm = Normalize(landscape.minimum.score, best.score)
    for axis, (i, j) in zip(axes, sides, strict=False):
        x, y = (np.linspace(space.low[k], space.high[k], PIXELS) for k in (i, j))
        settings = np.tile(best.x, (PIXELS * PIXELS, 1))
        settings[:, i], settings[:, j] = (values.ravel() for values in np.meshgrid(x, y))
        scores = landscape.score(settings).reshape(PIXELS, PIXELS)
        box = (space.low[i], space.high[i], space.low[j], space.high[j])
        axis.imshow(scores, extent=box, origin="lower", norm=norm, cmap="viridis", aspect="auto")
        axis.plot(best.x[i], best.x[j], "*", ms=12, color="#E8352E", mec="white", mew=0.9, clip_on=False)
        axis.set_xlabel(_named(landscape, i))
        axis.set_ylabel(_named(landscape, j))
        axis.grid(visible=False)
    for axis in axes[len(sides) :]:
        axis.set_visible(False)
    figure.suptitle(title(landscape), x=0.012, ha="left", fontsize=10, fontweight="bold")
    return figure


def _curve(landscape: Landscape) -> Figure:
    space, best = landscape.space, landscape.optimum
    figure = blank(4.4, 3.4)
    axis = figure.subplots()
    x = np.linspace(space.low[0], space.high[0], 400)
    axis.plot(x, landscape.score(x[:, None]), color="#0072B2", lw=1.7)
    axis.plot(landscape.grid.X[:, 0], landscape.grid.scores, "o", color=INK, ms=4)
    axis.plot(best.x[0], best.score, "*", ms=14, color="#E8352E", mec="white")
    axis.set_xlabel(_named(landscape, 0))
    axis.set_ylabel(f"{landscape.card.units}, {landscape.grid.split}")
    axis.set_title(title(landscape))
    return figure


def _named(landscape: Landscape, axis: int) -> str:
    name = landscape.space.names[axis]
    return WORDS.get(name, name)
