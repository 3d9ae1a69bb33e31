"""Regret against evaluations, drawn as the steps that incumbents make."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_bench.benchmark.result import Benchmark
from hpo_bench.display.figures import INK, PAGE_INCHES, blank, colours, house_style
from hpo_bench.display.words import counted
from hpo_bench.statistics.ratios import mean_regret

LEAST = 1e-3
CAPTION = (
    "Mean normalised regret of the best setting so far, over landscapes and seeds, with pointwise 95% "
    "intervals over pairs. Steps, because an incumbent does not improve between evaluations. The dashed "
    "line is the exact expectation for uniform random search; Random’s own runs scatter around it. The horizontal "
    "dotted line is the median noise of a comparison of two settings: differences below it cannot be seen by anyone "
    "who tunes with so few examples."
)
ALT = (
    "Line charts, one for each budget. Regret on a logarithmic axis falls with the number of evaluations, one "
    "coloured step line and shaded interval for each optimiser, and a dashed line for random search."
)


def draw(benchmark: Benchmark) -> Figure:
    """One panel for each number of hyperparameters and budget."""
    dims = np.array([landscape.space.dim for landscape in benchmark.landscapes])
    kinds = sorted(set(zip(dims.tolist(), benchmark.budgets.tolist(), strict=True)))
    with house_style():
        figure = blank(PAGE_INCHES, 4.3)
        axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for axis, (dim, budget) in zip(axes, kinds, strict=True):
            members = np.flatnonzero((dims == dim) & (benchmark.budgets == budget))
            _panel(axis, benchmark, members, budget)
            count = counted(len(members), "landscape")
            axis.set_title(f"{counted(dim, 'hyperparameter')}, {count}", fontweight="normal", fontsize=9)
        axes[0].set_ylabel("mean regret (fraction of the landscape’s range)")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=min(5, len(names)), columnspacing=1.6)
    return figure


def _panel(axis: Axes, benchmark: Benchmark, members: np.ndarray, budget: int) -> None:
    paint = colours(benchmark.labels)
    t = np.arange(1, budget + 1)
    expected = np.stack([benchmark.random_curves[i] for i in members])
    for identity in benchmark.ranking():
        regret = np.stack([benchmark.regret(benchmark.landscapes[i].name, identity) for i in members])
        low, high = benchmark.intervals.curve(mean_regret, regret, expected, members)
        colour = paint[identity]
        axis.fill_between(t, low, high, step="post", color=colour, alpha=0.13, lw=0)
        axis.step(t, regret.mean(axis=(0, 1)), where="post", color=colour, lw=1.7, label=benchmark.labels[identity])
    axis.step(t, expected.mean(axis=0), where="post", color=INK, lw=1.1, ls=(0, (4, 2)), label="Random, expected")
    noise = benchmark.noise[members]
    if (noise > 0).any():
        axis.axhline(np.median(noise[noise > 0]), color=INK, lw=0.9, ls=":", label="noise of a comparison")
    axis.set_yscale("log")
    axis.set_ylim(LEAST, 1)
    axis.set_yticks([1e-3, 1e-2, 1e-1, 1], ["0.001", "0.01", "0.1", "1"])
    axis.minorticks_off()
    axis.set_xlim(1, budget)
    axis.set_xticks([1, *range(10, budget + 1, 10)] if budget >= 10 else t)
    axis.set_xlabel("evaluations")
