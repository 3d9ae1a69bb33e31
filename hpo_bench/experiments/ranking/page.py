"""The page about the ranking of optimisers: tables in Markdown, figure and plain values."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hpo_bench.display.figures import PAGE_INCHES, REGRETS, blank, house_style, log_axis, provenance
from hpo_bench.display.looks import looks
from hpo_bench.display.words import counted
from hpo_bench.experiments.page import Part, save_page
from hpo_bench.experiments.ranking import outcome
from hpo_bench.experiments.ranking.guises import REAL
from hpo_bench.experiments.ranking.outcome import name
from hpo_bench.experiments.ranking.run import Ranking
from hpo_bench.files import write_json
from hpo_bench.statistics.agreement import FLOOR
from landscapes.trust import MARK, marked

CAPTION = (
    "Mean regret of each optimiser under each guise of the landscapes, joined by lines: where lines cross, the ranking "
    "changes. Regrets under a thousandth of the range are drawn at the floor, and tie."
)


def draw(comparison: Ranking) -> Figure:
    """A panel a checkpoint, a column a guise, a line an optimiser."""
    labels = {c.identity: c.label for c in comparison.contenders}
    found = looks(labels)
    with house_style():
        figure = blank(PAGE_INCHES, 4.6)
        axes = figure.subplots(1, len(comparison.points), sharey=True, squeeze=False)[0]
        for axis, point in zip(axes, comparison.points, strict=True):
            for one in labels:
                means = [max(FLOOR, float(np.mean(comparison.at(kind, point)[one]))) for kind in comparison.kinds]
                look = found[one]
                axis.plot(
                    range(len(means)), means, marker=look.marker, linestyle=look.dashes, ms=4.5, lw=1.3,
                    color=look.colour, clip_on=False,
                )  # fmt: skip
            log_axis(axis, "y", {**REGRETS, FLOOR: "≤0.001"}, (FLOOR, 1))
            places = [name(kind).replace(", ", ",\n") for kind in comparison.kinds]
            axis.set_xticks(range(len(places)), places, rotation=90, fontsize=7.5)
            when = "end of budget" if point == "end" else f"t = {point}"
            axis.set_title(when, fontweight="normal", fontsize=9)
        axes[0].set_ylabel("mean regret")
        handles = [axes[0].lines[place] for place in range(len(labels))]
        figure.legend(
            handles, list(labels.values()), loc="outside upper center", ncols=min(7, len(labels)), handlelength=3
        )
    return figure


PAGE = "ranking.md"
HOW = """\
The same optimisers with the same budgets, seeds and starts run on several guises of the same landscapes: the surrogate
under each kernel, a Gaussian process in its place, noise (every evaluation on examples drawn anew, which is harder than
tuning, where all settings answer the same questions; what an optimiser recommends is judged without noise){real}.

- **Regret** is in [0, 1] of a landscape's range, on the split that is tuned on, the mean over landscapes and seeds.
- **Kendall's tau** (tau-b) of two rankings by mean regret: 1 if every two optimisers are in the same order, -1 if none
  are. Mean regrets under a thousandth of the range tie.
- **Brackets** hold 95% intervals by a bootstrap over pairs and, within, seeds, which are drawn apart for both rankings.
  Pairs are few: intervals are rough. The reference's own bracket says how far a ranking agrees with itself when
  nothing but the luck of seeds differs.
- **first** is who has the lowest mean regret; whether whoever is first under the reference is among them; and in which
  share of the resamples.
"""
AND_REAL = (
    ", and real merges of the pair, evaluated on its questions, whose range goes from the worst that was recorded to "
    "the best that anybody reached"
)


def parts_of(comparison: Ranking) -> list[Part]:
    """What stands on the page."""
    landscapes, optimisers = len(comparison.landscapes), len(comparison.contenders)
    counts = ((landscapes, "landscape"), (comparison.seeds, "seed"), (optimisers, "optimiser"))
    runs = ", ".join(counted(*one) for one in counts)
    names = ", ".join(marked(landscape) for landscape in comparison.landscapes)
    without = outcome.sound(comparison)
    parts: list[Part] = [
        "# Does the ranking of optimisers survive?",
        outcome.sentence(comparison),
        HOW.format(real=AND_REAL if REAL in comparison.kinds else ""),
        f"{runs}: {names}. {provenance(comparison.landscapes)}",
        f"![{CAPTION}](ranking.png)",
        "## Agreement of rankings",
        outcome.table(comparison),
    ]
    if without is not None:
        sound = len(without.landscapes)
        verb = "is" if sound == 1 else "are"
        kept = f"{sound} of {counted(landscapes, 'landscape')} {verb} not weak ({MARK})"
        parts += ["### Without weak landscapes", f"{kept}. {outcome.sentence(without)}", outcome.table(without)]
    parts.append("## Mean regret")
    for point in comparison.points:
        when = "At the end of the budget" if point == "end" else f"After {point} evaluations"
        parts += [f"### {when}", outcome.regret_table(comparison, point)]
    return parts


def write_page(comparison: Ranking, folder: Path) -> Path:
    """Write the page, its figure, and all figures as plain values.

    Args:
        comparison: Races that are all stored.
        folder: Where to.

    Returns:
        The page.

    Raises:
        ResultsError: If a file cannot be written.
    """
    write_json(folder / "ranking.json", outcome.as_json(comparison))
    figure = draw(comparison), provenance(comparison.landscapes)
    return save_page(folder / PAGE, parts_of(comparison), {"ranking": figure})
