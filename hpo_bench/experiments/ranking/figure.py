"""Ranks of optimisers under every guise."""

import numpy as np
from matplotlib.figure import Figure

from hpo_bench.display.figures import PAGE_INCHES, blank, colours, house_style
from hpo_bench.experiments.ranking.outcome import name
from hpo_bench.experiments.ranking.run import Comparison, at
from hpo_bench.statistics.agreement import FLOOR

CAPTION = (
    "Mean regret of each optimiser under each guise of the landscapes, joined by lines: where lines cross, the ranking "
    "changes. Regrets under a thousandth of the range are drawn at the floor, and tie."
)


def draw(comparison: Comparison) -> Figure:
    """A panel a checkpoint, a column a guise, a line an optimiser."""
    labels = {c.identity: c.label for c in comparison.contenders}
    paint = colours(labels)
    regrets = {kind: comparison.regrets(kind) for kind in comparison.kinds}
    with house_style():
        figure = blank(PAGE_INCHES, 4.6)
        axes = figure.subplots(1, len(comparison.points), sharey=True, squeeze=False)[0]
        for axis, point in zip(axes, comparison.points, strict=True):
            for one in labels:
                means = [max(FLOOR, float(np.mean(at(regrets[kind], point)[one]))) for kind in comparison.kinds]
                axis.plot(range(len(means)), means, "o-", ms=4, lw=1.3, color=paint[one], clip_on=False)
            axis.set_yscale("log")
            axis.set_ylim(FLOOR, 1)
            axis.set_yticks([1e-3, 1e-2, 1e-1, 1], ["≤0.001", "0.01", "0.1", "1"])
            axis.minorticks_off()
            places = [name(kind).replace(", ", ",\n") for kind in comparison.kinds]
            axis.set_xticks(range(len(places)), places, rotation=90, fontsize=7.5)
            when = "end of budget" if point == "end" else f"t = {point}"
            axis.set_title(when, fontweight="normal", fontsize=9)
        axes[0].set_ylabel("mean regret")
        handles = [axes[0].lines[place] for place in range(len(labels))]
        figure.legend(handles, list(labels.values()), loc="outside upper center", ncols=min(7, len(labels)))
    return figure
