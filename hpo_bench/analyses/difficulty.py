"""How hard landscapes are, by task domain and by merge method: the study's section 4.2.2, on stored runs.

The study finds that local searches fall behind global ones on instruction following alone, and that TA is easiest,
then DARE, then TIES. Here each group gets the mean regret of Random at the end of the budget (how hard in absolute
terms), and of local and global searches as a ratio to it, with the difference between the two.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_bench.display.table import TextTable
from hpo_bench.display.words import DOMAINS, METHODS, UNDEFINED, counted, number
from hpo_bench.statistics.intervals import Intervals
from hpo_bench.statistics.ratios import over_random
from landscapes.landscape import Landscape

Array = NDArray[np.float64]

LOCAL = ("pattern-search", "powell")
GLOBAL = ("gp-bo", "cma-es")


def table(
    landscapes: Sequence[Landscape], runs: pd.DataFrame, random: Mapping[str, Array], *, at: int | None = None
) -> TextTable:
    """One row a domain and one a method.

    Args:
        landscapes: Those that were run.
        runs: The table of `benchmark.runs`.
        random: By landscape, Random's expected regret after 1, 2, ... evaluations, at least as many as runs have, and
            under the noise that they had.
        at: After how many evaluations, no more than any run has; None at the end of each budget.
    """
    rows = []
    for names, key in ((DOMAINS, "domain"), (METHODS, "method")):
        for group, label in names.items():
            members = [ls for ls in landscapes if getattr(ls.card, key) == group]
            if members:
                rows.append(_row(label, members, runs, random, at))
    columns = (
        "group", "landscapes", "Random’s regret", "local (Pattern Search, Powell), over Random",
        "global (GP-BO, CMA-ES), over Random", "local minus global, regret",
    )  # fmt: skip
    return TextTable.of(columns, rows)


def _row(
    label: str, members: Sequence[Landscape], runs: pd.DataFrame, random: Mapping[str, Array], at: int | None
) -> tuple[str, ...]:
    mine = runs[runs["landscape"].isin([ls.name for ls in members])]
    expected = np.empty(len(members))
    regret: dict[str, list[float]] = {"local": [], "global": []}
    for place, landscape in enumerate(members):
        here = mine[mine["landscape"] == landscape.name]
        t = at or int(here["t"].max())
        expected[place] = random[landscape.name][t - 1]
        last = here[here["t"] == t].groupby("optimizer")["regret"].mean()
        for kind, kinds in (("local", LOCAL), ("global", GLOBAL)):
            known = [float(last[one]) for one in kinds if one in last.index]
            regret[kind].append(float(np.mean(known)) if known else float("nan"))
    local, wide = np.array(regret["local"]), np.array(regret["global"])
    return (
        label,
        str(len(members)),
        f"{100 * expected.mean():.1f}%",
        _ratio(local, expected),
        _ratio(wide, expected),
        _difference(local, wide, [ls.card.pair for ls in members]),
    )


def _ratio(regret: np.ndarray, random: np.ndarray) -> str:
    return UNDEFINED if np.isnan(regret).any() else number(float(over_random(regret.mean(), random.mean())))


def _difference(local: np.ndarray, wide: np.ndarray, pairs: Sequence[str]) -> str:
    """Mean difference with its 95% interval over pairs, whose landscapes share models, if these are enough; in %."""
    if np.isnan(local - wide).any():
        return UNDEFINED
    found = Intervals(pairs).difference(local[:, None], wide[:, None], np.ones(len(pairs)))
    if np.isnan(found.low):
        return f"{100 * found.value:+z.1f}% ({counted(len(set(pairs)), 'pair')})"
    return f"{100 * found.value:+z.1f}% [{100 * found.low:+z.1f}, {100 * found.high:+z.1f}]"
