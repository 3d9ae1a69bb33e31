"""What a way to spend a budget should do, and whether it does, with intervals over pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from hpo_bench.display.table import TextTable
from hpo_bench.display.words import bracketed
from hpo_bench.experiments.spending.honesty import CROSS_FITTED
from hpo_bench.experiments.spending.pools import DENSE, KEPT, SHIPPED, SWEEPS
from hpo_bench.experiments.spending.real import STUDY
from hpo_bench.experiments.spending.replays import MOST, SPLIT
from hpo_bench.experiments.spending.stopping import DEFAULT
from hpo_bench.experiments.spending.tables import POINTS, by_pair, over_pairs, points
from hpo_bench.statistics.examples import Z95
from hpo_bench.statistics.intervals import Interval, of_mean
from landscapes.suites.boxes import SUFFIX

HOLDS, FAILS, OPEN = "holds", "does not hold", "open"
WITHIN = (93.0, 97.0)
"""Per cent of intervals that should hold the truth."""
LONGEST = 50.0
"""Milliseconds that a proposal may take."""
NAMES = {
    DENSE: "fine grids",
    SHIPPED: "landscapes in the study's box",
    KEPT: "landscapes kept back",
    SWEEPS: "sweeps of larger models",
}


@dataclass(frozen=True, eq=False)
class Beside:
    """The study's protocol and the plans of its cost and a fifth of it, on the same pools.

    Attributes:
        source: Where the pools are from.
        dim: Number of hyperparameters.
        by: How the plans were made.
        study: Recommendations of the study's protocol.
        plans: Those of the plans, by the share of its cost that they may take: a whole, or a fifth.
    """

    source: str
    dim: int
    by: str
    study: pd.DataFrame
    plans: dict[int, pd.DataFrame]

    @property
    def name(self) -> str:
        """What it is measured on."""
        return f"{NAMES[self.source]}, {self.dim}-D"

    def losses(self) -> str:
        """What the plans lose, and how much more that is than the study's protocol loses, paired over pairs."""
        parts = []
        for share, word in ((1, "at that cost"), (5, "at a fifth of it")):
            here = self.plans[share]
            usual = f"{here['settings'].median():.0f} settings on {here['examples'].median():.0f} examples"
            more = over_pairs(by_pair(here) - by_pair(self.study))
            parts.append(f"{word} ({usual}) {over_pairs(by_pair(here))}, a difference of {more}")
        return f"{self.by}, {', and '.join(parts)}"


def in_short(rows: pd.DataFrame) -> list[str]:
    """The study's protocol and the plans beside it, a line for each source and number of hyperparameters.

    Args:
        rows: As for `besides`.
    """
    plans: dict[str, list[Beside]] = {}
    for one in besides(rows):
        plans.setdefault(one.name, []).append(one)
    lines = []
    for name, ways in plans.items():
        first = ways[0]
        trials = MOST[first.dim]
        study = (
            f"The study's protocol, {trials} settings on {SPLIT} examples and the highest score, costs "
            f"{trials * SPLIT:,} evaluations and loses {over_pairs(by_pair(first.study))}"
        )
        lines.append(
            f"- {name[0].upper()}{name[1:]}. {study}; the plan {'; the plan '.join(one.losses() for one in ways)}."
        )
    return lines


def besides(rows: pd.DataFrame) -> Iterator[Beside]:
    """One for each source, number of hyperparameters, and way to make the plans.

    Args:
        rows: As `Measurement.planned` and `Measurement.untouched` give them, together.
    """
    for source in NAMES:
        here = rows[rows["source"] == source]
        for dim in sorted(here["dim"].unique()):
            own = here[here["dim"] == dim]
            study, plans = own[own["share"] == 0], own[own["share"] != 0]
            for by, made in plans.groupby("by", sort=False):
                shares = {share: made[made["share"] == share] for share in (1, 5)}
                if len(study) and all(len(one) for one in shares.values()):
                    yield Beside(source, int(dim), str(by), study, shares)


def judged(rows: pd.DataFrame) -> list[Beside]:
    """The same, but of one source and number of hyperparameters one alone: the plan that did not see the pair."""
    found: dict[str, Beside] = {}
    for one in besides(rows):
        found.setdefault(one.name, one)
    return list(found.values())


def parts_table(rows: pd.DataFrame) -> TextTable:
    """The same by domain and method, paired over pairs."""
    found = []
    for one in judged(rows):
        study = one.study.assign(method=one.study["pool"].str.partition("/")[2].str.removesuffix(SUFFIX).str.upper())
        for (domain, method), own in study.groupby(["domain", "method"]):
            plans = [plan[plan["pool"].isin(own["pool"])] for plan in one.plans.values()]
            losses = by_pair(own)
            figures = [over_pairs(by_pair(plan) - losses) for plan in plans]
            found.append((one.name, str(domain), str(method), str(len(losses)), over_pairs(losses), *figures))
    heads = ("on", "domain", "method", "pairs", "the study's loses", "the plan more, at its cost", "at a fifth of it")
    return TextTable.of(heads, found, words=3)


def pairs_table(rows: pd.DataFrame, source: str) -> TextTable:
    """The same pair by pair, without intervals.

    Args:
        rows: As for `besides`.
        source: Where the pools are from.
    """
    found = []
    for one in judged(rows[rows["source"] == source]):
        losses = pd.concat([by_pair(each) for each in (one.study, *one.plans.values())], axis=1)
        rows_of = zip(losses.index, losses.to_numpy(float), strict=True)
        found += [(str(pair), f"{one.dim}", *map(points, own)) for pair, own in rows_of]
    heads = ("pair", "hyperparameters", "the study's loses", "the plan, at its cost", "at a fifth of it")
    return TextTable.of(heads, found)


def claims_table(
    compared: pd.DataFrame, honest: pd.DataFrame, ended: pd.DataFrame, tuned: pd.DataFrame, timed: pd.DataFrame
) -> TextTable:
    """Every claim, what is measured of it, and whether it holds.

    Args:
        compared: As `Measurement.planned` and `Measurement.untouched` give them, together.
        honest: As `Measurement.honest` gives them.
        ended: As `Measurement.stopped` gives them.
        tuned: As `Measurement.really` gives them.
        timed: As `Measurement.timed` gives them.
    """
    parts = [_losses(compared), _real(tuned), _covered(honest), _ended(ended), _timed(timed)]
    killed = ("kill -9: trace as without it", "studies that are killed in tests", "equal, trial by trial", HOLDS)
    return TextTable.of(("claim", "on", "measured", "verdict"), [*chain(*parts), killed], words=4)


def overhead_table(rows: pd.DataFrame) -> TextTable:
    """Milliseconds of a processor that a proposal takes, by plan: without and with a look ahead."""
    found = []
    for (dim, settings), own in rows.groupby(["dim", "settings"]):
        for examples, here in own.groupby("examples"):
            alone = here["ask"] + here["tell"]
            figures = [
                f"{each.median():.0f}, {each.quantile(0.95):.0f}, {each.max():.0f}"
                for each in (alone, alone + here["gain"].fillna(0.0))
            ]
            found.append((f"{dim}", str(settings), f"{examples:,}", *figures))
    heads = ("hyperparameters", "settings", "examples", "tune: median, 95%, worst", "tune --until")
    return TextTable.of(heads, found)


def verdict(found: Interval, low: float, high: float) -> str:
    """Whether a figure lies in a range: its interval within it, beyond it, or neither."""
    if found.low >= low and found.high <= high:
        return HOLDS
    return FAILS if found.low > high or found.high < low else OPEN


Claim = tuple[str, str, str, str]


def _losses(compared: pd.DataFrame) -> Iterator[Claim]:
    for one in judged(compared):
        study, whole, fifth = (by_pair(rows) for rows in (one.study, one.plans[1], one.plans[5]))
        less = of_mean((whole - study).dropna())
        said = f"{points(whole.mean())} beside {points(study.mean())}; more by {bracketed(less, POINTS)}"
        yield "less than the study's loss at its cost", one.name, said, verdict(less, -np.inf, 0.0)
        beyond = of_mean((whole - study / 2).dropna())
        said = f"{points(whole.mean())} of {points(study.mean())}; above half by {bracketed(beyond, POINTS)}"
        yield "half the study's loss at its cost", one.name, said, verdict(beyond, -np.inf, 0.0)
        more = of_mean((fifth - study).dropna())
        said = f"{points(fifth.mean())} beside {points(study.mean())}; more by {bracketed(more, POINTS)}"
        yield "the study's loss at a fifth of its cost", one.name, said, verdict(more, -np.inf, 0.0)


def _real(tuned: pd.DataFrame) -> Iterator[Claim]:
    study = tuned[tuned["way"] == STUDY]
    for method, own in [(str(name).upper(), rows) for name, rows in study.groupby("method")] + [("all", study)]:
        by_method = own.groupby(["pair", "method"])["more"].mean()
        gain = of_mean(-by_method.groupby("pair").mean())
        said = f"recommends {bracketed(gain, POINTS)} points better"
        where = f"the real loop, {own['pair'].nunique()} pairs, {method}"
        if len(own):
            yield "better than the study's at its cost", where, said, verdict(gain, 0.0, np.inf)


def _covered(honest: pd.DataFrame) -> Iterator[Claim]:
    own = honest[honest["way"] == CROSS_FITTED]
    for source, rows in own.groupby("source", sort=False):
        held = rows.assign(holds=100.0 * (rows["miss"].abs() <= Z95 * rows["error"]))
        share = of_mean(held.groupby("pair")["holds"].mean())
        said = f"{share.value:.1f}% [{share.low:.1f}, {share.high:.1f}] of {len(rows):,}"
        yield "intervals of cross-fitted scores hold 93 to 97%", str(source), said, verdict(share, *WITHIN)


def _ended(ended: pd.DataFrame) -> Iterator[Claim]:
    for (dim, examples), rows in ended[ended["threshold"] == DEFAULT].groupby(["dim", "examples"]):
        own = rows.assign(share=100 * rows["settings"] / rows["budget"], more=rows["loss"] - rows["later"])
        more = of_mean(by_pair(own, "more"))
        said = f"spends {by_pair(own, 'share').mean():.0f}%, loses {bracketed(more, POINTS)} more"
        where = f"{dim} hyperparameters, {examples} examples"
        yield f"tune --until {DEFAULT:g} loses no more than that", where, said, verdict(more, -np.inf, DEFAULT)


def _timed(timed: pd.DataFrame) -> Iterator[Claim]:
    for until, word in ((False, "tune"), (True, "tune --until")):
        each = timed["ask"] + timed["tell"] + (timed["gain"].fillna(0.0) if until else 0.0)
        figure = f"{each.median():.0f} ms median, {each.quantile(0.95):.0f} 95%, {each.max():.0f} worst"
        within = HOLDS if each.max() <= LONGEST else FAILS if each.median() > LONGEST else "holds but for the worst"
        yield f"a proposal takes {LONGEST:.0f} ms at most", word, figure, within
