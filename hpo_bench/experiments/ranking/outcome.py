"""What came of a comparison: tables, plain values, and a sentence."""

import math
from dataclasses import asdict

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import figure
from hpo_bench.experiments.ranking.guises import NOISE, REAL
from hpo_bench.experiments.ranking.run import Ranking
from hpo_bench.statistics.agreement import Agreement
from landscapes.trust import split
from landscapes.written import as_plain

NAMES = {NOISE: "noise, examples resampled", REAL: "real merges", "gp": "GP"}


def name(kind: str) -> str:
    """A guise as people read it."""
    return NAMES.get(kind, f"RBF, {kind.replace('_', ' ')}")


def table(comparison: Ranking) -> TextTable:
    """One row a guise: tau with the reference's ranking and who wins, at every checkpoint."""
    rows = []
    for kind, of in comparison.agreements.items():
        is_reference = kind == comparison.reference
        cells = [_tau(of[point], is_reference) for point in comparison.points]
        cells += [_winner(comparison, of[point], is_reference) for point in comparison.points]
        rows.append(Row(name(kind), tuple(cells), faint=is_reference))
    whens = ["end" if point == "end" else f"t = {point}" for point in comparison.points]
    heads = (f"Kendall’s tau with {name(comparison.reference)}, {when}" for when in whens)
    return TextTable(("guise", *heads, *(f"first, {when}" for when in whens)), tuple(rows))


def regret_table(comparison: Ranking, point: str = "end") -> TextTable:
    """Mean regret of each optimiser (row) under each guise (column) at a checkpoint."""
    found = {kind: comparison.at(kind, point) for kind in comparison.kinds}
    rows = [
        Row(c.label, tuple(f"{found[kind][c.identity].mean():.3f}" for kind in comparison.kinds), c.identity)
        for c in comparison.contenders
    ]
    return TextTable(("mean regret", *(name(kind) for kind in comparison.kinds)), tuple(rows))


def sound(comparison: Ranking) -> Ranking | None:
    """The same without weak landscapes; None if all are weak or none is."""
    kept, weak = split(comparison.landscapes)
    return comparison.only(kept) if kept and weak else None


def as_json(comparison: Ranking) -> dict:
    """All figures as plain JSON values, with and without weak landscapes; undefined ones are null."""
    without = sound(comparison)
    return {
        "reference": comparison.reference,
        "seeds": comparison.seeds,
        **_figures(comparison),
        "without_weak": None if without is None else _figures(without),
    }


def _figures(comparison: Ranking) -> dict:
    return {
        "landscapes": [landscape.name for landscape in comparison.landscapes],
        "agreement": {
            kind: {point: as_plain(asdict(one)) for point, one in of.items()}
            for kind, of in comparison.agreements.items()
        },
        "mean_regret": {
            kind: {
                point: {one: float(values.mean()) for one, values in comparison.at(kind, point).items()}
                for point in comparison.points
            }
            for kind in comparison.kinds
        },
    }


def sentence(comparison: Ranking) -> str:
    """Whether the ranking survives, at the end of the budget, in a sentence."""
    of = {kind: points["end"] for kind, points in comparison.agreements.items() if kind != comparison.reference}
    if not of:
        return "There is nothing to compare with."
    kept = sum(one.same_winner for one in of.values())
    least = min(of, key=lambda kind: -math.inf if math.isnan(of[kind].tau) else of[kind].tau)
    lowest = f"the lowest tau is {_tau(of[least], is_reference=False)} ({name(least)})"
    if len(of) == 1:
        lowest = f"tau is {_tau(of[least], is_reference=False)}"
    stays = (
        "stays" if kept == len(of) == 1 else "is another" if len(of) == 1 else f"stays under {kept} of {len(of)} guises"
    )
    others = f" ({name(least)})" if len(of) == 1 else ""
    return f"Against {name(comparison.reference)}, at the end{others}: the winner {stays}; {lowest}."


def _tau(one: Agreement, is_reference: bool) -> str:
    # The reference's own interval is what the luck of seeds leaves of a ranking that is the same.
    # Where all tie in one ranking there is no order to agree with.
    tau, low, high = (figure(end, ".2f") for end in (one.tau, one.low, one.high))
    return f"{'itself' if is_reference else tau} [{low}, {high}]"


def _winner(comparison: Ranking, one: Agreement, is_reference: bool) -> str:
    labels = {c.identity: c.label for c in comparison.contenders}
    who = ", ".join(labels[w] for w in one.winners)
    return who if is_reference else f"{who} ({'same' if one.same_winner else 'other'}, {one.same_winner_share:.0%})"
