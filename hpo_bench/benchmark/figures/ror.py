"""Regret-over-random by optimiser: the study's Figure 2."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from hpo_bench.benchmark.result import END, OVERALL, SINCE, Benchmark, Moment
from hpo_bench.display import marks
from hpo_bench.display.figures import PAGE_INCHES, RATIOS, blank, house_style, label_below, log_axis
from hpo_bench.display.looks import BAND, DEEP_BAND, INK, colours
from hpo_bench.display.svg import tell
from hpo_bench.display.words import number
from hpo_bench.statistics.luck import null_band
from hpo_bench.statistics.ratios import median

BEYOND = 1e300
"""Stands for infinite ratios where quantiles are taken, between which there is no halfway."""
LEAST = 0.01
"""Ratios below this are drawn at the edge, as infinite ones are at the other."""
CAPTION = (
    "Regret over random, by moment. Each mark is one landscape (mean over seeds, divided by the expectation for "
    f"uniform random search); {marks.LEGEND}. Boxes span the quartiles, the bar is the median. The shading is what "
    "luck alone gives: 95% of Random’s own ratios on single landscapes (light) and of their median (dark)."
)


def draw(benchmark: Benchmark) -> Figure:
    """One panel a checkpoint, one row an optimiser, best mean regret at the top."""
    order = benchmark.ranking()
    paint = colours(benchmark.labels)
    points = benchmark.checkpoints
    with house_style():
        figure = blank(PAGE_INCHES, 1.5 + 0.36 * len(order))
        axes = figure.subplots(1, len(points), sharey=True, squeeze=False)[0]
        for axis, point in zip(axes, points, strict=True):
            _panel(axis, benchmark, point, order, paint)
        axes[0].set_yticks(range(len(order)), [benchmark.labels[identity] for identity in order])
        axes[0].set_ylim(len(order) - 0.4, -0.6)
        label_below(axes, "regret over random (log scale; lower is better, 1 = uniform random search)")
        handles = [
            *marks.handles(hollow="one with Random under the noise", weak=~benchmark.sound),
            Line2D([], [], color=INK, lw=2.4, label="median"),
            Patch(color=BAND, label="luck: one landscape"),
            Patch(color=DEEP_BAND, label="luck: median"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=6, handlelength=1.1, columnspacing=1.0)
    return figure


def data(benchmark: Benchmark) -> pd.DataFrame:
    """What is drawn: one row an optimiser, landscape and checkpoint."""
    return pd.DataFrame(
        {
            "at": point.name,
            "optimizer": identity,
            "landscape": landscape.name,
            "domain": landscape.card.domain,
            "method": landscape.card.method,
            "regret_over_random": ratio,
            "above_noise": bool(above),
            "weak": bool(landscape.weaknesses),
        }
        for point in benchmark.checkpoints
        for identity in benchmark.ranking()
        for landscape, ratio, above in zip(benchmark.landscapes, point.ratios(identity), point.resolved, strict=True)
    )


def words(benchmark: Benchmark, point: Moment, identity: str) -> list[str]:
    """What is said of an optimiser's mark on each landscape, under the pointer."""
    return [
        f"{benchmark.labels[identity]} on {landscape.name}, {when(point)}: {number(float(ratio))}"
        for landscape, ratio in zip(benchmark.landscapes, point.ratios(identity), strict=True)
    ]


def when(point: Moment) -> str:
    """The title of a checkpoint's panel."""
    titles = {END: "end of budget", OVERALL: f"mean over t ≥ {SINCE}"}
    return titles.get(point.name, f"t = {point.name}")


def greatest(benchmark: Benchmark) -> float:
    """Where the axes of ratios end: beyond every finite one, and the same in every panel, so that panels compare."""
    ratios = np.array([point.ratios(identity) for point in benchmark.checkpoints for identity in benchmark.labels])
    return max(3.2, 1.15 * float(ratios[np.isfinite(ratios)].max(initial=0.0)))


def quantiles(ratios: NDArray[np.float64], shares: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles of ratios, infinite where infinite ones have a part in them."""
    found = np.quantile(np.minimum(ratios, BEYOND), shares)
    return np.where(found > BEYOND**0.5, np.inf, found)


def describe(benchmark: Benchmark) -> str:
    """The figure in words, for those who cannot see it."""
    ends = {benchmark.labels[i]: quantiles(benchmark.end.ratios(i), [0.5])[0] for i in benchmark.ranking()}
    figures = [f"{label} {number(float(middle))}" for label, middle in ends.items()]
    return "Strip plot. Median regret over random at the end of the budget: " + ", ".join(figures) + "."


def _panel(axis: Axes, benchmark: Benchmark, point: Moment, order: list[str], paint: dict[str, str]) -> None:
    _shade(axis, benchmark, point)
    axis.axvline(1, color=INK, lw=0.8, zorder=1)
    rng = np.random.default_rng(0)
    for row, identity in enumerate(order):
        known = point.ratios(identity)
        ratio = np.clip(known, LEAST, greatest(benchmark))
        height = row + rng.uniform(-0.22, 0.22, len(ratio))
        marks.draw(
            axis,
            ratio,
            height,
            filled=point.resolved,
            weak=~benchmark.sound,
            colour=paint[identity],
            size=4.2,
            words=words(benchmark, point, identity),
            optimizer=identity,
        )
        low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
        box = axis.fill_betweenx([row - 0.3, row + 0.3], low, high, color=paint[identity], alpha=0.22, lw=0, zorder=2)
        bar = axis.plot(
            [middle, middle], [row - 0.33, row + 0.33], color=paint[identity], lw=2.4, zorder=4, clip_on=False
        )[0]
        least, half, most = (number(float(one)) for one in quantiles(known, [0.25, 0.5, 0.75]))
        spread = f"median {half}, quartiles {least} and {most}"
        for artist in (box, bar):
            tell(artist, optimizer=identity, words=[f"{benchmark.labels[identity]}, {when(point)}: {spread}"])
    log_axis(axis, "x", {**RATIOS, 3: "3"}, (LEAST, greatest(benchmark)))
    axis.tick_params(axis="both", length=0)
    axis.grid(visible=False, axis="y")
    axis.set_title(when(point), fontweight="normal", fontsize=9)


def _shade(axis: Axes, benchmark: Benchmark, point: Moment) -> None:
    """What Random's own ratios do: on single landscapes, and their median over landscapes."""
    simulated = benchmark.luck(point)
    single = [null_band(median, simulated[:, [i]], point.random[[i]]) for i in range(len(point.random))]
    axis.axvspan(*np.mean(single, axis=0), color=BAND, lw=0, zorder=0)
    if len(single) > 1:
        axis.axvspan(*null_band(median, simulated, point.random), color=DEEP_BAND, lw=0, zorder=0)
