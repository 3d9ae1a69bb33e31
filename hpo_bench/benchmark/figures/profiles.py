"""When targets are reached: data profiles and a performance profile."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpo_bench.benchmark.result import Benchmark
from hpo_bench.display.figures import PAGE_INCHES, blank, house_style, log_axis
from hpo_bench.display.looks import INK, looks
from hpo_bench.display.svg import tell, tell_steps
from hpo_bench.display.words import share
from hpo_bench.statistics.targets import TARGETS, Arrival, performance_profile

MIDDLE = 0.05
"""The target of the performance profile."""
FACTORS = np.geomspace(1, 10, 200)
CAPTION = (
    "The share of runs that have come within 0.1, 0.05 and 0.01 of the optimum (fractions of the landscape’s range) "
    "after so many evaluations: data profiles (Moré and Wild, 2009), where budgets differ by the estimate of Kaplan "
    "and Meier. Higher is better. Right: of the landscapes that anybody solved to 0.05, the share on which an "
    "optimiser’s average running time is at most so many times the least of any (performance profile; Dolan and Moré, "
    "2002); it depends on who takes part."
)
ALT = (
    "Line charts, one for each target. The share of runs that have reached it rises with the number of evaluations, "
    "one coloured step line for each optimiser. The last chart gives shares of landscapes over factors from 1 to 10."
)


def draw(benchmark: Benchmark) -> Figure:
    """A panel for each target and one for the performance profile."""
    with house_style():
        figure = blank(PAGE_INCHES, 3.5)
        axes = figure.subplots(1, len(TARGETS) + 1, sharey=True)
        for axis, target in zip(axes, TARGETS, strict=False):
            _data(axis, benchmark, target)
        _performance(axes[-1], benchmark)
        axes[0].set_ylabel("share of runs")
        axes[0].set_ylim(0, 1.01)
        axes[0].set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=min(7, len(names)), columnspacing=1.4)
    return figure


def data(benchmark: Benchmark) -> pd.DataFrame:
    """What is drawn: shares of runs by target and evaluation, and shares of landscapes by factor."""
    longest, parts = int(benchmark.budgets.max()), []
    for target in TARGETS:
        for identity in benchmark.ranking():
            reached = [0, *Arrival.pooled(_arrivals(benchmark, identity, target)).curve(longest)]
            about = {"profile": "runs", "target": target, "optimizer": identity}
            parts.append(pd.DataFrame({**about, "t": np.arange(longest + 1), "share": reached}))
    for identity, reached in _performances(benchmark).items():
        about = {"profile": "landscapes", "target": MIDDLE, "optimizer": identity}
        parts.append(pd.DataFrame({**about, "factor": FACTORS, "share": reached}))
    return pd.concat(parts, ignore_index=True)


def _arrivals(benchmark: Benchmark, identity: str, target: float) -> list[Arrival]:
    return [Arrival.of(benchmark.regret(landscape.name, identity), target) for landscape in benchmark.landscapes]


def _data(axis: Axes, benchmark: Benchmark, target: float) -> None:
    longest, look = int(benchmark.budgets.max()), looks(benchmark.labels)
    shares = {}
    for place, identity in enumerate(benchmark.ranking()):
        reached = np.array([0, *Arrival.pooled(_arrivals(benchmark, identity, target)).curve(longest)])
        own, shares[benchmark.labels[identity]] = look[identity], reached[1:]
        line = axis.step(
            np.arange(longest + 1), reached, where="post", color=own.colour, ls=own.dashes, lw=1.4, marker=own.marker,
            ms=3.5, markevery=(4 + place, 14), label=benchmark.labels[identity],
        )[0]  # fmt: skip
        tell(line, optimizer=identity)
    tell_steps(axis, range(1, longest + 1), shares, share)
    axis.set_title(f"regret ≤ {target:g}", fontweight="normal", fontsize=9)
    axis.set_xlim(0, longest)
    axis.set_xlabel("evaluations")


def _performances(benchmark: Benchmark) -> dict[str, np.ndarray]:
    """For each optimiser the share of landscapes over `FACTORS`."""
    order = benchmark.ranking()
    costs = np.array([[one.average_running_time for one in _arrivals(benchmark, i, MIDDLE)] for i in order])
    return dict(zip(order, performance_profile(costs, FACTORS), strict=True))


def _performance(axis: Axes, benchmark: Benchmark) -> None:
    look = looks(benchmark.labels)
    for place, (identity, reached) in enumerate(_performances(benchmark).items()):
        own = look[identity]
        line = axis.step(
            FACTORS, reached, where="post", color=own.colour, ls=own.dashes, lw=1.4, marker=own.marker, ms=3.5,
            markevery=(10 + 5 * place, 60),
        )[0]  # fmt: skip
        tell(line, optimizer=identity, words=[benchmark.labels[identity]])
    axis.set_title(f"regret ≤ {MIDDLE:g}, landscapes", fontweight="normal", fontsize=9)
    log_axis(axis, "x", {factor: f"{factor}" for factor in (1, 2, 5, 10)}, (1, FACTORS[-1]))
    axis.set_xlabel("times the least running time")
    axis.axvline(1, color=INK, lw=0.8)
