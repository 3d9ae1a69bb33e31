"""The comparison of tuning with the full grid as a page, a figure and a table for other tools."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hpo_bench.display.figures import PAGE_INCHES, blank, house_style
from hpo_bench.display.looks import COLOURS, FAINT
from hpo_bench.display.table import TextTable
from hpo_bench.display.words import bracketed
from hpo_bench.experiments.cost.grid import GridComparison, GridPlan, overall
from hpo_bench.experiments.page import save_page
from hpo_bench.files import write
from hpo_bench.merging.methods import registry
from hpo_bench.statistics.examples import Z95

SOURCE = "Real merges of nano pairs (about a million parameters, trained from scratch), not of full-size models."
ROUNDING = 5e-7
"""Scores nearer to each other are the same."""
INK = dict(zip(registry.REGISTRY.built_in, COLOURS.values(), strict=False))


def by_pair(comparisons: Sequence[GridComparison]) -> TextTable:
    """A row for each pair and method; scores in points."""
    columns = (
        "pair", "method", "VLM", "grid: merges", "seconds", "test", "tuned: merges", "as high after", "seconds", "test",
        "tuned − grid [95%]",
    )  # fmt: skip
    lines = (
        (
            one.pair,
            registry.label(one.method),
            f"{100 * one.base:.1f}",
            str(one.grid_merges),
            f"{one.grid_seconds:.0f}",
            f"{100 * one.grid_test:.1f}",
            f"{one.merges:.0f}",
            _count(one.reached),
            f"{one.seconds:.0f}",
            f"{100 * one.test:.1f}",
            bracketed(one.interval, "+.1f", times=100),
        )
        for one in comparisons
    )
    return TextTable.of(columns, lines)


def by_method(comparisons: Sequence[GridComparison]) -> TextTable:
    """A row for each method, over all pairs."""
    columns = (
        "method", "pairs", "merges, grid", "merges, tuned", "as high after", "seconds, tuned over grid",
        "tuned − grid [95% over pairs]",
        "better on", "worse on",
    )  # fmt: skip
    lines = []
    for method in dict.fromkeys(one.method for one in comparisons):
        own = [one for one in comparisons if one.method == method]
        lines.append(
            (
                registry.label(method),
                str(len(own)),
                str(own[0].grid_merges),
                f"{np.mean([one.merges for one in own]):.0f}",
                _count(float(np.median([one.reached for one in own]))),
                f"{sum(one.seconds for one in own) / sum(one.grid_seconds for one in own):.2f}",
                bracketed(overall(own), "+.1f", times=100),
                str(sum(one.interval.low > 0 for one in own)),
                str(sum(one.interval.high < 0 for one in own)),
            )
        )
    return TextTable.of(columns, lines)


def notes(comparisons: Sequence[GridComparison], plan: GridPlan) -> list[str]:
    """What the tables do not say."""
    seeds = "1 study" if plan.seeds == 1 else f"{plan.seeds} studies with different seeds"
    told = [
        f"Tuned: {seeds} of `hpo-bench tune` (GP-BO) a pair and method, in its own box, which is larger than the "
        "grid's; means over seeds. Grid: the setting with the highest validation score on the recorded grid. Both saw "
        "validation examples alone, and were scored on the same test examples by the same evaluator. Scores are in "
        "points; the interval of a difference is paired over test examples; over pairs it is Student's t. As high "
        "after: tuned merges (medians) until one scored as high on validation examples as the grid's best.",
        "Seconds are this machine's, by the clock on the wall: of all merges, evaluations and the tuner itself; for "
        "the grid its number of settings times the mean seconds of a trial (a worker's first, which warms up, counted "
        "once). The result on test examples, the same for both, is not in them.",
    ]
    if plan.seeds > 1:
        spread = np.sqrt(np.mean([one.spread**2 for one in comparisons]))
        told.append(f"From seed to seed a study's test score varies by {100 * spread:.2f} points (standard deviation).")
    moved = {one.method: abs(one.drift) for one in sorted(comparisons, key=lambda one: abs(one.drift))}
    parts = [
        f"for at most {100 * drift:.2f} points of {registry.label(name)}"
        for name, drift in moved.items()
        if drift > ROUNDING
    ]
    masks = (
        " (grids were recorded with mergekit's masks, and tuning draws its own)"
        if any(drift > ROUNDING and registry.get(name).draws_masks for name, drift in moved.items())
        else ""
    )
    told.append(
        "Made anew, the grids' best merges score on validation examples as was recorded"
        + (f", but {' and '.join(parts)}{masks}." if parts else ".")
    )
    return told


def figure(comparisons: Sequence[GridComparison]) -> Figure:
    """What tuning finds above the grid's best, a row a pair, a mark a method."""
    pairs = list(dict.fromkeys(one.pair for one in comparisons))
    methods = list(dict.fromkeys(one.method for one in comparisons))
    with house_style():
        drawn = blank(PAGE_INCHES, 1.6 + 0.36 * len(pairs))
        axes = drawn.add_subplot()
        for place, method in enumerate(methods):
            own = [one for one in comparisons if one.method == method]
            shift = 0.22 * (place - (len(methods) - 1) / 2)
            axes.errorbar(
                [100 * one.difference for one in own],
                [pairs.index(one.pair) + shift for one in own],
                xerr=[100 * Z95 * one.difference_error for one in own],
                fmt="osD^v"[place % 5], ms=4.5, lw=1.2, color=INK[method],
                label=f"{registry.label(method)}: {own[0].grid_merges} merges on the grid, {own[0].merges:.0f} tuned",
            )  # fmt: skip
        axes.axvline(0.0, color=FAINT, lw=1.0)
        axes.set_yticks(range(len(pairs)), pairs)
        axes.invert_yaxis()
        axes.set(
            xlabel="test score of the tuned merge minus that of the grid's best, in points (95% intervals, paired)",
            title="What tuning finds above the full grid",
        )
        axes.grid(visible=False, axis="y")
        drawn.legend(loc="outside upper right", ncols=len(methods))
    return drawn


def write_page(comparisons: Sequence[GridComparison], plan: GridPlan, folder: Path) -> Path:
    """Write `cost.md`, `cost.csv` and `cost.png` to a folder.

    Raises:
        ResultsError: If they cannot be written.
    """
    parts = [
        "# Tuning against the full grid",
        "Table 2 of the study says what its full grids cost. Here the same grids, on nano pairs, stand against "
        "`hpo-bench tune`; made by",
        f"    {' '.join(plan.command)}",
        "![Differences in test score](cost.png)",
        "## By method", by_method(comparisons),
        "## By pair", by_pair(comparisons),
        *notes(comparisons, plan),
        SOURCE,
    ]  # fmt: skip
    table = pd.DataFrame([asdict(one) for one in comparisons])
    write(folder / "cost.csv", lambda path: table.to_csv(path, index=False))
    return save_page(folder / "cost.md", parts, {"cost": (figure(comparisons), SOURCE)})


def _count(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "never"
