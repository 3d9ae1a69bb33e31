"""Regret against evaluations, drawn as the steps that incumbents make."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_bench.benchmark.result import Benchmark
from hpo_bench.display.figures import PAGE_INCHES, REGRETS, blank, house_style, log_axis
from hpo_bench.display.looks import INK, looks
from hpo_bench.display.svg import tell, tell_steps
from hpo_bench.display.words import counted, number
from hpo_bench.statistics.ratios import mean_regret

LEAST = 1e-3
CAPTION = (
    "Mean normalised regret of the best setting so far (under noise: of the one that would be recommended), over "
    "landscapes and seeds, with pointwise 95% intervals, where there are any, around the best optimiser and around "
    "Random; those of all are in the CSV. Steps, because an incumbent does not improve between evaluations. The dashed "
    "line is the expectation for uniform random search; Random’s own runs scatter around it. The horizontal "
    "dotted line is the median noise of a comparison of two settings: differences below it cannot be seen by anyone "
    "who tunes with so few examples."
)
ALT = (
    "Line charts, one for each budget. Regret on a logarithmic axis falls with the number of evaluations, one "
    "coloured step line for each optimiser, shaded intervals for two, and a dashed line for random search."
)


def draw(benchmark: Benchmark) -> Figure:
    """One panel for each number of hyperparameters and budget."""
    kinds = _kinds(benchmark)
    with house_style():
        figure = blank(PAGE_INCHES, 4.3)
        axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for axis, (dim, members) in zip(axes, kinds, strict=True):
            _panel(axis, benchmark, members)
            count = counted(len(members), "landscape")
            axis.set_title(f"{counted(dim, 'hyperparameter')}, {count}", fontweight="normal", fontsize=9)
        axes[0].set_ylabel("mean regret (fraction of the landscape’s range)")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=min(5, len(names)), columnspacing=1.6)
    return figure


def data(benchmark: Benchmark) -> pd.DataFrame:
    """What is drawn: one row a number of hyperparameters, optimiser and evaluation."""
    parts = []
    for dim, members in _kinds(benchmark):
        for identity in benchmark.ranking():
            mean, low, high = _curve(benchmark, identity, tuple(members))
            t = np.arange(1, len(mean) + 1)
            about = {"hyperparameters": dim, "landscapes": len(members), "optimizer": identity}
            parts.append(pd.DataFrame({**about, "t": t, "mean_regret": mean, "low": low, "high": high}))
        expected = np.mean([benchmark.random_curves[i] for i in members], axis=0)
        about = {"hyperparameters": dim, "landscapes": len(members), "optimizer": "random (expected)"}
        parts.append(pd.DataFrame({**about, "t": np.arange(1, len(expected) + 1), "mean_regret": expected}))
    return pd.concat(parts, ignore_index=True)


def _kinds(benchmark: Benchmark) -> list[tuple[int, np.ndarray]]:
    """Numbers of hyperparameters, and the landscapes of each budget with so many."""
    dims = np.array([landscape.space.dim for landscape in benchmark.landscapes])
    kinds = sorted(set(zip(dims.tolist(), benchmark.budgets.tolist(), strict=True)))
    return [(dim, np.flatnonzero((dims == dim) & (benchmark.budgets == budget))) for dim, budget in kinds]


def _curve(benchmark: Benchmark, identity: str, members: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean regret of an optimiser after each evaluation and both ends of its interval, each of shape (budget,)."""
    regret = np.stack([benchmark.regret(benchmark.landscapes[i].name, identity) for i in members])
    expected = np.stack([benchmark.random_curves[i] for i in members])
    return regret.mean(axis=(0, 1)), *benchmark.intervals.curve(mean_regret, regret, expected, np.array(members))


def _panel(axis: Axes, benchmark: Benchmark, members: np.ndarray) -> None:
    look, order = looks(benchmark.labels), benchmark.ranking()
    budget = int(benchmark.budgets[members[0]])
    t = np.arange(1, budget + 1)
    expected = np.mean([benchmark.random_curves[i] for i in members], axis=0)
    means = {}
    for place, identity in enumerate(order):
        mean, low, high = _curve(benchmark, identity, tuple(members))
        means[benchmark.labels[identity]] = mean
        own = look[identity]
        line = axis.step(
            t, mean, where="post", color=own.colour, ls=own.dashes, lw=1.5, label=benchmark.labels[identity],
            marker=own.marker, ms=4, markevery=(3 + place, 10),
        )[0]  # fmt: skip
        tell(line, optimizer=identity)
        if identity in (order[0], "random"):  # of all, they lie upon each other, and nobody sees whose is where
            tell(axis.fill_between(t, low, high, step="post", color=own.colour, alpha=0.16, lw=0), optimizer=identity)
    axis.step(t, expected, where="post", color=INK, lw=1.1, ls=(0, (4, 2)), label="Random, expected")
    noise = benchmark.noise[members]
    if (noise > 0).any():
        axis.axhline(np.median(noise[noise > 0]), color=INK, lw=0.9, ls=":", label="noise of a comparison")
    tell_steps(axis, t, means, number)
    log_axis(axis, "y", REGRETS, (LEAST, 1))
    axis.set_xlim(1, budget)
    axis.set_xticks([1, *range(10, budget + 1, 10)] if budget >= 10 else t)
    axis.set_xlabel("evaluations")
