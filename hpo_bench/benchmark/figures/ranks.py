"""Who is best where: the rank of every optimiser on every landscape."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hpo_bench.benchmark.figures.ror import when
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.display.figures import PAGE_INCHES, blank, house_style
from landscapes.trust import MARK, marked

MOST_NUMBERS = 40
"""With more landscapes the cells are too narrow for figures."""
CAPTION = (
    "The rank of each optimiser by mean regret on each landscape (1 is best; equals share the mean of theirs), and the "
    "mean rank on the right. Ranks tell who wins and not by how much: on smooth landscapes the first places may lie "
    f"closer together than anyone could observe. {MARK}: a weak landscape."
)
ALT = "Heat map. Rows are optimisers, columns landscapes; dark blue cells are first ranks, pale ones last."


def draw(benchmark: Benchmark) -> Figure:
    """One cell a landscape and optimiser, ordered by mean rank."""
    point = benchmark.overall or benchmark.end
    ranks = benchmark.ranks(point)
    labels = np.array(list(benchmark.labels.values()))
    order = np.argsort(ranks.mean(axis=1), kind="stable")
    ranks, labels = ranks[order], labels[order]
    names = [marked(landscape) for landscape in benchmark.landscapes]
    width = len(names)
    with house_style():
        figure = blank(PAGE_INCHES, 1.9 + 0.26 * len(labels))
        axis = figure.subplots()
        axis.imshow(ranks, cmap="Blues_r", vmin=1, vmax=1.25 * len(labels), aspect="auto")
        if width <= MOST_NUMBERS:
            for (row, column), rank in np.ndenumerate(ranks):
                # Not the page's inks: a cell is as dark on every ground.
                ink = "#FEFEFE" if rank < 0.45 * len(labels) else "#111827"
                axis.text(column, row, f"{rank:g}", ha="center", va="center", fontsize=6.5, color=ink)
        for row, rank in enumerate(ranks.mean(axis=1)):
            axis.text(width - 0.3, row, f"{rank:.1f}", va="center", fontsize=8.5, fontweight="bold", clip_on=False)
        axis.text(width - 0.3, -0.75, "mean", fontsize=7.5, clip_on=False)
        axis.set_yticks(range(len(labels)), list(labels))
        axis.set_xticks(range(width), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=6.5)
        axis.tick_params(length=0)
        axis.grid(visible=False)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_title(f"rank by mean regret, {when(point)}", fontweight="normal", fontsize=9)
    return figure


def data(benchmark: Benchmark) -> pd.DataFrame:
    """What is drawn: one row an optimiser and landscape."""
    point = benchmark.overall or benchmark.end
    ranks = benchmark.ranks(point)
    return pd.DataFrame(
        {"optimizer": identity, "landscape": landscape.name, "rank": rank, "at": point.name}
        for identity, row in zip(benchmark.labels, ranks, strict=True)
        for landscape, rank in zip(benchmark.landscapes, row, strict=True)
    )
