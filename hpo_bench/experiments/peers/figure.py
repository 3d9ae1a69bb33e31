"""Regret over random against evaluations: GP-BO beside each peer."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_bench.benchmark.plan import DESIGN
from hpo_bench.display.figures import COLOURS, INK, PAGE_INCHES, blank, house_style
from hpo_bench.experiments.peers.lineup import REFERENCE
from hpo_bench.experiments.peers.run import Meeting

COLUMNS = 3
PEER = "#D55E00"
LEAST = 0.01


def draw(found: Sequence[Meeting]) -> Figure:
    """One panel a peer, of ratios of means with 95% intervals, up to the least budget.

    Args:
        found: The meetings of a stage.
    """
    rows = -(-len(found) // COLUMNS)
    with house_style():
        figure = blank(PAGE_INCHES, 0.9 + 1.9 * rows)
        axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
        until = min(int(one.finished.budgets.min()) for one in found)
        lowest = min(_panel(axis, one, until) for axis, one in zip(axes, found, strict=False))
        axes[0].set_ylim(max(LEAST, lowest), 2)
        for axis in axes[len(found) :]:
            axis.set_axis_off()
        for axis in axes[max(0, len(found) - COLUMNS) : len(found)]:
            axis.set_xlabel("evaluations")
            axis.tick_params(labelbottom=True)
        figure.supylabel("regret over random (ratio of means, log scale)", fontsize=9)
    return figure


def _panel(axis: Axes, one: Meeting, until: int) -> float:
    """Draws a meeting up to that many evaluations, and returns the lowest end of an interval."""
    lowest = np.inf
    t = np.arange(1, until + 1)
    for who, colour in ((one.peer, PEER), (REFERENCE, COLOURS[REFERENCE])):
        value, low, high = one.curve(who, until)
        lowest = min(lowest, float(np.nanmin(low, initial=np.inf)))
        axis.fill_between(t, low, high, step="post", color=colour, alpha=0.18, lw=0)
        axis.step(t, value, where="post", color=colour, lw=1.6, label=one.finished.labels[who])
    axis.axhline(1, color=INK, lw=0.9, ls=(0, (4, 2)))
    axis.axvspan(1, DESIGN, color="#F0F2F4", lw=0, zorder=0)
    axis.set_yscale("log")
    axis.set_yticks([0.01, 0.03, 0.1, 0.3, 1], ["0.01", "0.03", "0.1", "0.3", "1"])
    axis.minorticks_off()
    axis.set_xlim(1, until)
    axis.set_title(f"{one.label} ({one.runs})", fontsize=9)
    axis.legend(loc="lower left", fontsize=7.5, handlelength=1.2)
    return lowest
