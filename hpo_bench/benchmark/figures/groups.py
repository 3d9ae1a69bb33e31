"""Regret-over-random by task domain and by merge method: the study's Figure 3."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hpo_bench.benchmark.figures.ror import LEAST, greatest, quantiles, when, words
from hpo_bench.benchmark.result import Benchmark, Moment
from hpo_bench.display import marks
from hpo_bench.display.figures import PAGE_INCHES, RATIOS, blank, house_style, log_axis
from hpo_bench.display.looks import BAND, INK, colours
from hpo_bench.display.svg import tell
from hpo_bench.display.words import DOMAINS, METHODS, number

CAPTION = (
    "Regret over random by task domain (left) and by merge method (right). Bars are the medians over "
    f"the landscapes of a group, marks the landscapes; {marks.LEGEND}. In every group optimisers stand in the "
    "order of the legend, best first."
)
ALT = (
    "Dot plots. Columns are task domains and merge methods, colours are optimisers; the height is regret over "
    "random on a logarithmic axis, with a line at 1 for uniform random search."
)


def draw(benchmark: Benchmark) -> Figure:
    """A row for the first checkpoint and one for the end; a column for domains and one for methods."""
    points = list(dict.fromkeys((benchmark.moments[0], benchmark.end)))
    domains = [landscape.card.domain for landscape in benchmark.landscapes]
    methods = [landscape.card.method for landscape in benchmark.landscapes]
    with house_style():
        figure = blank(PAGE_INCHES, 1.0 + 2.5 * len(points))
        grid = figure.subplots(len(points), 2, sharey=True, squeeze=False)
        for row, point in zip(grid, points, strict=True):
            _panel(row[0], benchmark, point, domains, DOMAINS)
            _panel(row[1], benchmark, point, methods, METHODS)
            row[0].set_ylabel(f"regret over random, {when(point)}")
        grid[0][0].set_title("by task domain")
        grid[0][1].set_title("by merge method")
        paint = colours(benchmark.labels)
        # As the bars: an optimiser's own marker would be read as the kind of a landscape.
        handles = [Line2D([], [], color=paint[one], lw=2.4, label=benchmark.labels[one]) for one in benchmark.ranking()]
        figure.legend(handles=handles, loc="outside upper center", ncols=min(7, len(handles)), columnspacing=1.4)
    return figure


def _panel(axis: Axes, benchmark: Benchmark, point: Moment, groups: Sequence[str], names: dict[str, str]) -> None:
    order, paint = benchmark.ranking(), colours(benchmark.labels)
    present = [group for group in names if group in groups]
    width = 0.82 / len(order)
    axis.axhline(1, color=INK, lw=0.8, zorder=1)
    for place in range(0, len(present), 2):
        axis.axvspan(place - 0.5, place + 0.5, color=BAND, alpha=0.4, lw=0, zorder=0)
    for rank, identity in enumerate(order):
        known = point.ratios(identity)
        ratio = np.clip(known, LEAST, greatest(benchmark))
        colour, said = paint[identity], words(benchmark, point, identity)
        for place, group in enumerate(present):
            inside = np.array([one == group for one in groups])
            x = place + (rank - (len(order) - 1) / 2) * width
            marks.draw(
                axis, x, ratio[inside], filled=point.resolved[inside], weak=~benchmark.sound[inside], colour=colour,
                size=3.6, words=list(np.array(said)[inside]), optimizer=identity,
            )  # fmt: skip
            middle, said_middle = (float(quantiles(own[inside], [0.5])[0]) for own in (ratio, known))
            lines = axis.plot([x, x], [ratio[inside].min(), ratio[inside].max()], color=colour, lw=1, alpha=0.6)
            ends = [x - 0.45 * width, x + 0.45 * width]
            lines += axis.plot(ends, [middle, middle], color=colour, lw=2.4, clip_on=False)
            for line in lines:
                tell(
                    line,
                    optimizer=identity,
                    words=[f"{benchmark.labels[identity]}, {names[group]}: median {number(said_middle)}"],
                )
    log_axis(axis, "y", {**RATIOS, 3: "3"}, (LEAST, greatest(benchmark)))
    axis.set_xticks(range(len(present)), [names[group] for group in present])
    axis.set_xlim(-0.5, len(present) - 0.5)
    axis.tick_params(length=0)
    axis.grid(visible=False, axis="x")
