"""Does the ranking of optimisers on the landscapes of one tier hold on those of another?"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.result import END, Benchmark
from hpo_bench.benchmark.tables import by_optimizer, when
from hpo_bench.display.table import Column, TextTable
from hpo_bench.display.words import UNDEFINED, number
from hpo_bench.statistics.agreement import agree
from hpo_bench.statistics.intervals import LEAST_PAIRS
from landscapes.terms import TIERS
from landscapes.written import as_plain

Array = NDArray[np.float64]


def figures(benchmark: Benchmark) -> dict:
    """Landscapes, pairs and mean regrets by tier, and how far the rankings of every two tiers agree, as plain values.

    Rankings are compared where several optimisers ran, by Kendall's tau-b (`compared`).
    """
    place = {tier: np.flatnonzero([ls.card.tier == tier for ls in benchmark.landscapes]) for tier in TIERS}
    place = {tier: rows for tier, rows in place.items() if len(rows)}
    pairs = np.array(benchmark.pairs)
    found: dict = {
        "landscapes": {tier: len(rows) for tier, rows in place.items()},
        "pairs": {tier: len(set(pairs[rows])) for tier, rows in place.items()},
        "sound": {tier: int(benchmark.sound[rows].sum()) for tier, rows in place.items()},
        "mean_regret": {
            point.name: {
                tier: {one: float(regret[rows].mean()) for one, regret in point.regret.items()}
                for tier, rows in place.items()
            }
            for point in benchmark.checkpoints
        },
        "agreement": [],
    }
    if len(benchmark.labels) < 2:
        return found
    for first, second in combinations(place, 2):
        at = {}
        for point in benchmark.checkpoints:
            sides = [{one: regret[place[tier]] for one, regret in point.regret.items()} for tier in (second, first)]
            of = [pairs[place[tier]].tolist() for tier in (second, first)]
            at[point.name] = compared(*sides, pairs=of[0], reference_pairs=of[1])
        found["agreement"].append({"tiers": [first, second], "at": at})
    return found


def compared(
    guise: Mapping[str, Array], reference: Mapping[str, Array], *, pairs: Sequence[str], reference_pairs: Sequence[str]
) -> dict[str, float | None]:
    """Kendall's tau-b of two rankings with its 95% interval over pairs and seeds; null for what is undefined.

    There is no interval where a side has fewer than `LEAST_PAIRS` pairs: of other pairs nothing could be said then.

    Args:
        guise: See `agree`.
        reference: Likewise.
        pairs: Likewise.
        reference_pairs: Likewise.
    """
    found = agree(guise, reference, pairs=pairs, reference_pairs=reference_pairs)
    enough = min(len(set(pairs)), len(set(reference_pairs))) >= LEAST_PAIRS
    low, high = (found.low, found.high) if enough else (np.nan, np.nan)
    return as_plain({"tau": found.tau, "low": low, "high": high})


def agreement(content: Mapping) -> TextTable | None:
    """Kendall's tau of every two tiers' rankings at each checkpoint; None with one tier or one optimiser.

    Args:
        content: What `summary.summary` made.
    """
    found = content["tiers"]["agreement"]
    if not found:
        return None
    points = list(found[0]["at"])
    lines = ((" and ".join(one["tiers"]), *(shown(one["at"][point]) for point in points)) for one in found)
    return TextTable.of(("rankings on", *(f"Kendall’s tau, {when(point)}" for point in points)), lines)


def regrets(content: Mapping, point: str = END) -> TextTable | None:
    """Mean regret of each optimiser (row) on each tier (column) at a checkpoint; None with one tier."""
    of = content["tiers"]["mean_regret"][point]
    if len(of) < 2:
        return None
    counts = content["tiers"]["landscapes"]
    columns = [Column(f"{tier} ({counts[tier]})", lambda one, own=own: f"{own[one]:.3f}") for tier, own in of.items()]
    return by_optimizer(content, columns, head=f"mean regret, {when(point)}")


def sentence(content: Mapping) -> str:
    """How far rankings agree at the end, in a sentence; empty with one tier or one optimiser."""
    parts = [f"{' and '.join(one['tiers'])} {shown(one['at'][END])}" for one in content["tiers"]["agreement"]]
    return f"Agreement of tiers (Kendall’s tau of rankings at the end): {'; '.join(parts)}." if parts else ""


def shown(one: Mapping[str, float | None]) -> str:
    """A tau with its interval, if there is one: `0.81 [0.52, 0.96]`."""
    if one["tau"] is None:
        return UNDEFINED
    if one["low"] is None:
        return f"{one['tau']:.2f}"
    return f"{one['tau']:.2f} [{number(one['low'])}, {number(one['high'])}]"
