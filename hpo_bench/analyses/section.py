"""The study's landscape analyses put together: tables, sentences and figures for terminal, folder and page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import optimizers
from hpo_bench.analyses import difficulty, optima, restrictions, transfer
from hpo_bench.analyses import figures as draw
from hpo_bench.display.figures import Drawn
from hpo_bench.display.table import TextTable
from hpo_bench.display.words import UNDEFINED
from hpo_bench.workers import each
from landscapes.landscape import Landscape
from landscapes.suites import boxes
from landscapes.trust import MARK

EARLY = 10
"""Evaluations after which landscapes are hard or easy otherwise than at the end."""
UNDER_NOISE = (
    "How hard landscapes are is not said here, as these runs had noise and what Random reaches under it is not known; "
    "the report of `hpo-bench run` has it."
)


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


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """What the analyses make of one landscape.

    Attributes:
        costs: Of restricting the sum of coefficients, in the study's box, where that was recorded.
        study_loocv: Leave-one-out error by the study's protocol, in that box.
        optimum: Where it lies.
        followed: Every run's incumbents on validation and test; None without runs, or test scores.
    """

    costs: Sequence[restrictions.Cost]
    study_loocv: float
    optimum: optima.Optimum
    followed: transfer.Followed | None


def analyse(landscapes: Sequence[Landscape], runs: pd.DataFrame | None = None, *, jobs: int = 1) -> Section:
    """The study's Table 3, its section 4.2.2, its appendix H and where optima lie.

    Args:
        landscapes: Which ones. Table 3 is of the same pairs and methods in the study's box, where that was recorded.
        runs: Stored runs on them (`benchmark.runs`), without which there is no trajectory to follow.
        jobs: Worker processes.
    """
    return section(landscapes, each(analysed, with_runs(landscapes, runs), jobs=jobs), runs)


def with_runs(
    landscapes: Sequence[Landscape], runs: pd.DataFrame | None
) -> list[tuple[Landscape, pd.DataFrame | None]]:
    """Each landscape with the runs on it, which are None where there are none."""
    parts = {} if runs is None else {name: runs.iloc[rows] for name, rows in runs.groupby("landscape").indices.items()}
    return [(landscape, parts.get(landscape.name)) for landscape in landscapes]


def analysed(item: tuple[Landscape, pd.DataFrame | None]) -> Analysed:
    """All that is made of one landscape: in one place, because reading and searching its test split takes the time.

    Args:
        item: The landscape, and the runs on it.
    """
    landscape, runs = item
    (narrow,) = boxes.in_the_study([landscape])
    return Analysed(
        restrictions.costs([narrow]),
        narrow.fidelity().study_loocv,
        optima.find(landscape),
        None if runs is None else transfer.follow(landscape, runs),
    )


def section(
    landscapes: Sequence[Landscape],
    found: Sequence[Analysed],
    runs: pd.DataFrame | None,
    *,
    random: Mapping[str, NDArray[np.float64]] | None = None,
) -> Section:
    """The analyses of landscapes, put together.

    Args:
        landscapes: Which ones.
        found: What was made of each.
        runs: Stored runs on them.
        random: By landscape, Random's expected regret after 1, 2, ... evaluations under the noise of the runs. Without
            it that without noise; how hard landscapes are is then not said of runs that had any.
    """
    costs = [cost for one in found for cost in one.costs]
    places = [one.optimum for one in found]
    tables: dict[str, TextTable] = {
        "What restricting the sum of coefficients costs, beside the study’s Table 3": restrictions.side_by_side(costs),
        "The same by landscape": restrictions.table(costs),
        "Where the optimum lies, by method": optima.by_method(places),
        "Where the optimum lies, by landscape": optima.table(places),
    }
    sentences = [_restriction_sentence(costs)] if costs else []
    figures = []
    if costs:
        data = pd.DataFrame(asdict(cost) for cost in costs)
        about = draw.RESTRICTION_CAPTION, draw.RESTRICTION_ALT
        figures.append(Drawn("study_restrictions", draw.restrictions(costs), *about, data))
    if weighed := [one for one in places if not np.isnan(one.total)]:
        data, about = draw.optima_data(weighed), (draw.OPTIMA_CAPTION, draw.OPTIMA_ALT)
        figures.append(Drawn("study_optima", draw.optima(weighed), *about, data))
    moved = None
    if runs is not None and not runs.empty:
        there = set(runs["landscape"])
        ran = [landscape for landscape in landscapes if landscape.name in there]
        labels = _labels(runs)
        followed = {landscape.name: one.followed for landscape, one in zip(landscapes, found, strict=True)}
        moved = {name: mine for name, mine in followed.items() if mine is not None}
        by_dim: dict[int, list[str]] = {}
        for landscape in ran:
            by_dim.setdefault(landscape.space.dim, []).append(landscape.name)
        tables |= {
            "Validation against test, at the end of the budget (appendix H)": transfer.table(moved, labels),
        }
        sentences.append(transfer.agreement_sentence(moved))
        if random is None and "reported" not in runs:
            longest = int(runs["t"].max())
            random = {landscape.name: landscape.random_regret(longest) for landscape in ran}
        if random is None:
            sentences.append(UNDER_NOISE)
        else:
            tables |= {
                "How hard landscapes are, at the end of the budget (section 4.2.2)": difficulty.table(
                    ran, runs, random
                ),
            }
            mine = runs[runs["landscape"].isin([landscape.name for landscape in ran])]
            if mine.groupby("landscape")["t"].max().min() > EARLY:  # else it would be the same table, wrongly titled
                tables[f"The same after {EARLY} evaluations"] = difficulty.table(ran, runs, random, at=EARLY)
        if moved:
            curves, data = draw.transfer(moved, by_dim, labels), draw.transfer_data(moved, by_dim)
            figures.append(Drawn("study_transfer", curves, draw.TRANSFER_CAPTION, draw.TRANSFER_ALT, data))
    return Section(tables, tuple(sentences), tuple(figures), moved)


def _restriction_sentence(costs: Sequence[restrictions.Cost]) -> str:
    parts = []
    for restriction, label in restrictions.LABELS.items():
        mine = [cost for cost in costs if cost.restriction == restriction]
        if mine:
            sound = [cost for cost in mine if not cost.weak]
            seen, firm = restrictions.seen(mine), restrictions.seen(sound)
            without = f" ({firm} without weak ones)" if len(sound) < len(mine) and firm != UNDEFINED else ""
            seen = f"visible on {seen}{without}" if seen != UNDEFINED else "not known whether visible"
            worst = max(mine, key=lambda cost: cost.percent)
            name = worst.landscape + (MARK if worst.weak else "")
            parts.append(f"{label}: {seen}, worst {worst.percent:.1f}% ({name})")
    return "Cost of restrictions: " + "; ".join(parts) + "."


def _labels(runs: pd.DataFrame) -> dict[str, str]:
    known = optimizers.available()
    return {str(one): known[one].label if one in known else str(one) for one in runs["optimizer"].unique()}
