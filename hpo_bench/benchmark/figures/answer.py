"""The answer in a picture: what each optimiser loses on unseen examples, above its regret on the surrogate."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_bench.benchmark.tables import moments, when
from hpo_bench.display.figures import PAGE_INCHES, RATIOS, blank, house_style, label_below, log_axis
from hpo_bench.display.looks import INK, looks
from hpo_bench.display.svg import tell
from hpo_bench.display.words import interval

LEAST = 0.01
"""Ratios below this are drawn at the edge."""
LEAST_INCHES = 3.0
"""Of the height, however few optimisers there are: two rows of panels with what stands below each."""
_READ = "Left to right: after so many evaluations. Bars, where there are any, are 95% intervals; lower is better."
CAPTION = (
    "Above: what the setting that validation picks loses on examples that tuning never saw, against the best that "
    "there is for them. Below: median regret over random on the surrogate that optimisers see (their distance from its "
    f"optimum, over that of uniform random search; 1 is random). {_READ}"
)
REPLAYED = (
    "Above: what the recommended setting loses on examples that no run saw, against the best recorded one. Below: that "
    f"over what uniform random search loses, the median over landscapes; 1 is random. {_READ}"
)
"""Where recorded answers were replayed."""


def caption(content: Mapping) -> str:
    """What stands below it."""
    return REPLAYED if content.get("goal") == "test" else CAPTION


def draw(content: Mapping) -> Figure:
    """A column a moment, a row an optimiser.

    Args:
        content: What `summary.summary` made, with the losses on unseen examples.
    """
    points, found = moments(content), content["unseen"]
    order = sorted(content["optimizers"], key=lambda one: -found["at"][points[0]][one]["value"])
    labels = [content["optimizers"][one]["label"] for one in order]
    far = max(_far(by) for by in found["at"].values())
    known = [one["at"][point]["median_ror_all"]["value"] for one in content["optimizers"].values() for point in points]
    most = max([3.0, *(1.15 * ratio for ratio in known if ratio is not None)])
    with house_style():
        figure = blank(PAGE_INCHES, max(1.5 + 0.46 * len(order), LEAST_INCHES))
        grid = figure.subplots(2, len(points), sharey=True, sharex="row", squeeze=False)
        for column, point in enumerate(points):
            ratios = {one: content["optimizers"][one]["at"][point]["median_ror_all"] for one in order}
            _panel(grid[0][column], found["at"][point], order, labels, far=far, log=False)
            _panel(grid[1][column], ratios, order, labels, far=most, log=True)
            grid[0][column].set_title(
                "end of budget" if point == "end" else when(point), fontweight="normal", fontsize=9
            )
        for row in grid:
            row[0].set_yticks(range(len(order)), labels)
        label_below(grid[0], f"loss on unseen examples, {found['unit']}")
        where = "" if content.get("goal") == "test" else ", on the surrogate"
        label_below(grid[1], f"median regret over random{where}")
    return figure


def data(content: Mapping) -> pd.DataFrame:
    """What is drawn: one row an optimiser, moment and figure."""
    return pd.DataFrame(
        {"at": point, "optimizer": identity, "figure": name, **figures[identity]}
        for point in moments(content)
        for name, figures in (
            ("loss_on_unseen_examples", content["unseen"]["at"][point]),
            ("median_ror", {one: by["at"][point]["median_ror_all"] for one, by in content["optimizers"].items()}),
        )
        for identity in content["optimizers"]
    )


def describe(content: Mapping) -> str:
    """The figure in words, for those who cannot see it."""
    first = moments(content)[0]
    known = content["unseen"]["at"][first]
    said = [f"{one['label']} {interval(known[identity])}" for identity, one in content["optimizers"].items()]
    unit = content["unseen"]["unit"]
    return f"Dot plot with intervals. Loss on unseen examples in {unit}, {when(first)}: {', '.join(said)}."


def _far(known: Mapping) -> float:
    """How far an axis of losses goes: to every value and the end of its interval, unless one says nothing."""
    most = max(figures["value"] for figures in known.values())
    return 1.03 * max(most, *(min(figures["high"] or 0.0, 2.5 * most) for figures in known.values()))


def _panel(axis: Axes, known: Mapping, order: list[str], labels: list[str], *, far: float, log: bool) -> None:
    """The axis ends at `far`; it is linear, or that of ratios."""
    look = looks(order)
    if log:
        axis.axvline(1, color=INK, lw=0.8, zorder=1)
    for row, (identity, label) in enumerate(zip(order, labels, strict=True)):
        figures, own = known[identity], look[identity]
        value, low, high = (figures[key] for key in ("value", "low", "high"))
        if value is None:
            continue
        least = LEAST if log else 0.0
        drawn = []
        if low is not None and high is not None:
            drawn += axis.plot(
                [max(low, least), max(high, least)], [row, row], color=own.colour, lw=2.2, zorder=2, alpha=0.6
            )
        drawn += axis.plot(max(value, least), row, own.marker, color=own.colour, ms=6, zorder=3, clip_on=False)
        for artist in drawn:
            tell(artist, optimizer=identity, words=[f"{label}: {interval(figures)}"])
    if log:
        log_axis(axis, "x", RATIOS, (LEAST, far))
    else:
        axis.set_xlim(0, far or 1)  # where nobody loses anything
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.tick_params(length=0)
    axis.grid(visible=False, axis="y")
