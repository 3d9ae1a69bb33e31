"""How hard landscapes are, by task domain and by merge method: the study's section 4.2.2, on stored runs.

The study finds that local searches fall behind global ones on instruction following alone, and that TA is easiest,
then DARE, then TIES. Here each group gets the mean regret of Random at the end of the budget (how hard in absolute
terms), and of local and global searches as a ratio to it, with the difference between the two.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hpo_bench.tables import Row, TextTable
from hpo_bench.wording import DOMAINS, METHODS
from landscapes.landscape import Landscape

LOCAL = ("pattern-search", "powell")
GLOBAL = ("gp-bo", "cma-es")
REPLICATES = 2000


def table(landscapes: Sequence[Landscape], runs: pd.DataFrame, *, at: int | None = None) -> TextTable:
    """One row a domain and one a method.

    Args:
        landscapes: Those that were run.
        runs: The table of `results.assemble`.
        at: After how many evaluations; None at the end of each budget.
    """
    rows = []
    for names, key in ((DOMAINS, "domain"), (METHODS, "method")):
        for group, label in names.items():
            members = [ls for ls in landscapes if getattr(ls.card, key) == group]
            if members:
                rows.append(_row(label, members, runs, at))
    columns = (
        "group", "landscapes", "Random’s regret", "local (Pattern Search, Powell), over Random",
        "global (GP-BO, CMA-ES), over Random", "local minus global, regret",
    )  # fmt: skip
    return TextTable(columns, tuple(rows))


def _row(label: str, members: Sequence[Landscape], runs: pd.DataFrame, at: int | None) -> Row:
    mine = runs[runs["landscape"].isin([ls.name for ls in members])]
    random = np.empty(len(members))
    regret: dict[str, list[float]] = {"local": [], "global": []}
    for place, landscape in enumerate(members):
        here = mine[mine["landscape"] == landscape.name]
        t = min(at or int(here["t"].max()), int(here["t"].max()))
        random[place] = landscape.random_regret(t)[-1]
        last = here[here["t"] == t].groupby("optimiser")["regret"].mean()
        for kind, kinds in (("local", LOCAL), ("global", GLOBAL)):
            known = [float(last[one]) for one in kinds if one in last.index]
            regret[kind].append(float(np.mean(known)) if known else float("nan"))
    local, wide = np.array(regret["local"]), np.array(regret["global"])
    return Row(
        label,
        (
            str(len(members)),
            f"{100 * random.mean():.1f}%",
            _ratio(local, random),
            _ratio(wide, random),
            _difference(local - wide, [ls.card.pair for ls in members]),
        ),
    )


def _ratio(regret: np.ndarray, random: np.ndarray) -> str:
    return "-" if np.isnan(regret).any() else f"{regret.mean() / random.mean():.2f}"


def _difference(values: np.ndarray, pairs: Sequence[str]) -> str:
    """Mean with a 95% interval by a bootstrap over pairs, whose landscapes share models; in % of the range."""
    if np.isnan(values).any():
        return "-"
    clusters: Mapping[str, list[float]] = {p: [v for v, q in zip(values, pairs, strict=True) if q == p] for p in pairs}
    names = sorted(clusters)
    shown = f"{100 * values.mean():+.1f}%"
    if len(names) < 2:
        return f"{shown} (one pair)"
    drawn = np.random.default_rng(0).integers(len(names), size=(REPLICATES, len(names)))
    sums = np.array([sum(clusters[n]) for n in names])
    counts = np.array([len(clusters[n]) for n in names])
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return f"{shown} [{100 * low:+.1f}, {100 * high:+.1f}]"
