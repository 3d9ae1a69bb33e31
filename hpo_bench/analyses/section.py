"""The study's landscape analyses put together: tables, sentences and figures for terminal, folder and page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

import optimizers
from hpo_bench.analyses import difficulty, optima, restrictions, transfer
from hpo_bench.analyses import figures as draw
from hpo_bench.display.figures import Drawn
from hpo_bench.display.table import TextTable
from hpo_bench.workers import each
from landscapes.landscape import Landscape
from landscapes.suites import boxes
from landscapes.trust import MARK


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """What came of the analyses.

    Attributes:
        tables: By title.
        sentences: What else there is to say.
        figures: What it draws.
        transfer: Every run's incumbents on validation and test; None without runs.
    """

    tables: Mapping[str, TextTable]
    sentences: tuple[str, ...]
    figures: tuple[Drawn, ...]
    transfer: transfer.Transfer | None


def analyse(landscapes: Sequence[Landscape], runs: pd.DataFrame | None = None, *, jobs: int = 1) -> Section:
    """The study's Table 3, its section 4.2.2, its appendix H and where optima lie.

    Args:
        landscapes: Which ones. Table 3 is of the same pairs and methods in the study's box, where that was recorded.
        runs: Stored runs on them (`benchmark.runs`), without which there is no trajectory to follow.
        jobs: Worker processes.
    """
    runs = runs if runs is not None and not runs.empty else None
    parts = {} if runs is None else {name: runs.iloc[rows] for name, rows in runs.groupby("landscape").indices.items()}
    narrow = boxes.in_the_study(landscapes)
    items = [(one, beside, parts.get(one.name)) for one, beside in zip(landscapes, narrow, strict=True)]
    analysed = each(_analysed, items, jobs=jobs)
    costs = [cost for mine, _, _ in analysed for cost in mine]
    found = [optimum for _, optimum, _ in analysed]
    tables: dict[str, TextTable] = {
        "What restricting the sum of coefficients costs, beside the study’s Table 3": restrictions.side_by_side(costs),
        "The same by landscape": restrictions.table(costs),
        "Where the optimum lies, by method": optima.by_method(found),
        "Where the optimum lies, by landscape": optima.table(found),
    }
    sentences = [_restriction_sentence(costs)] if costs else []
    figures = [
        Drawn(
            "study_restrictions",
            draw.restrictions(costs),
            draw.RESTRICTION_CAPTION,
            draw.RESTRICTION_ALT,
            pd.DataFrame(asdict(cost) for cost in costs),
        ),
        Drawn("study_optima", draw.optima(found), draw.OPTIMA_CAPTION, draw.OPTIMA_ALT, draw.optima_data(found)),
    ]
    moved = None
    if runs is not None:
        ran = [landscape for landscape in landscapes if landscape.name in set(runs["landscape"])]
        labels = _labels(runs)
        followed = zip(landscapes, analysed, strict=True)
        moved = {landscape.name: mine for landscape, (_, _, mine) in followed if mine is not None}
        by_dim: dict[int, list[str]] = {}
        for landscape in ran:
            by_dim.setdefault(landscape.space.dim, []).append(landscape.name)
        tables |= {
            "Validation against test, at the end of the budget (appendix H)": transfer.table(moved, labels),
            "How hard landscapes are, at the end of the budget (section 4.2.2)": difficulty.table(ran, runs),
            "The same after 10 evaluations": difficulty.table(ran, runs, at=10),
        }
        sentences.append(transfer.agreement_sentence(moved))
        if moved:
            curves, data = draw.transfer(moved, by_dim, labels), draw.transfer_data(moved, by_dim)
            figures.append(Drawn("study_transfer", curves, draw.TRANSFER_CAPTION, draw.TRANSFER_ALT, data))
    return Section(tables, tuple(sentences), tuple(figures), moved)


def _analysed(
    item: tuple[Landscape, Landscape, pd.DataFrame | None],
) -> tuple[list[restrictions.Cost], optima.Optimum, transfer.Followed | None]:
    """All that is made of one landscape: in one place, because reading and searching its test split takes the time."""
    landscape, in_the_study, runs = item
    followed = None if runs is None else transfer.follow(landscape, runs)
    return restrictions.costs([in_the_study]), optima.find(landscape), followed


def _restriction_sentence(costs: Sequence[restrictions.Cost]) -> str:
    parts = []
    for restriction, label in restrictions.LABELS.items():
        mine = [cost for cost in costs if cost.restriction == restriction]
        if mine:
            seen = _visible(mine)
            sound = [cost for cost in mine if not cost.weak]
            seen += f" ({_visible(sound)} without weak ones)" if 0 < len(sound) < len(mine) else ""
            worst = max(mine, key=lambda cost: cost.percent)
            name = worst.landscape + (MARK if worst.weak else "")
            parts.append(f"{label}: visible on {seen}, worst {worst.percent:.1f}% ({name})")
    return "Cost of restrictions: " + "; ".join(parts) + "."


def _visible(costs: Sequence[restrictions.Cost]) -> str:
    return f"{sum(cost.visible for cost in costs)} of {len(costs)}"


def _labels(runs: pd.DataFrame) -> dict[str, str]:
    known = optimizers.available()
    return {str(one): known[one].label if one in known else str(one) for one in runs["optimizer"].unique()}
