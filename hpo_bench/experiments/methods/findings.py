"""The study's findings 1 and 2, tested on our pairs with paired intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpo_bench.experiments.methods.lineup import BASE, CLASSIC, METHODS, OTHERS, SWAP
from hpo_bench.experiments.methods.sample import NAMES, Array, Figure, Sample
from hpo_bench.statistics import Interval

ALL = tuple(one.name for one in METHODS)


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the study and what our pairs say about it.

    Attributes:
        finding: 1 or 2.
        text: The statement.
        quantity: The figure that is positive where the statement holds.
        interval: It, in score units, with 95% interval; NaN where it needs pairs that are not here.
        verdict: "holds", "does not hold" (the opposite does), "undecided" (the interval holds zero), or "no data".
    """

    finding: int
    text: str
    quantity: str
    interval: Interval
    verdict: str


def claims(sample: Sample) -> tuple[Claim, ...]:
    """Every statement of findings 1 and 2 that our pairs can test."""
    base = (BASE.name,)

    def gain(domain: str) -> Figure:
        return sample.mean(ALL, over=base, domains=(domain,))

    free = ("wudi", "tsv", "metagpt")
    tested: list[tuple[int, str, str, Figure]] = [
        (1, "Merging improves language ability", "mean gain of nine methods, language", gain("language")),
        (1, "Merging improves instruction following", "mean gain of nine methods, instructions", gain("instructions")),
        (1, "Language transfers better than maths", "language gain less maths gain", gain("language") - gain("maths")),
        (
            1,
            "Instruction following transfers better than maths",
            "instructions gain less maths gain",
            gain("instructions") - gain("maths"),
        ),
        (
            1,
            "DARE improves on the base VLM in maths",
            "DARE's gain, maths",
            sample.mean(["dare"], over=base, domains=("maths",)),
        ),
        (
            2,
            "Classic methods beat the others",
            "mean of TA, DARE, TIES less mean of the other six",
            sample.mean(CLASSIC, over=OTHERS),
        ),
        (
            2,
            "Classic methods are more stable",
            "spread over pairs of the shortfall from the pair's best, others less classic",
            _stability(sample),
        ),
        (2, "Task Arithmetic beats TIES", "TA less TIES", sample.mean(["ta"], over=["ties"])),
        (
            2,
            "NAN is the best tuning-free method",
            "NAN less the best of WUDI, TSV and MetaGPT",
            _over_best(sample, "nan", free),
        ),
        (
            2,
            "NAN falls short of classic methods",
            "mean of TA, DARE, TIES less NAN",
            sample.mean(CLASSIC, over=["nan"]),
        ),
        (2, "RegMean beats Fisher", "RegMean less Fisher", sample.mean(["regmean"], over=["fisher"])),
    ]
    return tuple(
        Claim(number, text, what, found.interval, verdict(found.interval)) for number, text, what, found in tested
    )


def verdict(interval: Interval) -> str:
    """What a figure that the statement says is positive says about the statement."""
    if np.isnan(interval.value):
        return "no data"
    if interval.low > 0:
        return "holds"
    return "does not hold" if interval.high < 0 else "undecided"


def consistency(sample: Sample) -> Mapping[str, tuple[int, int]]:
    """Counts, of how many: comparisons that the study states as shares of cases."""
    table = {name: sample.scores[:, index] for index, name in enumerate(NAMES)}
    gains = np.stack([table[name] - table[BASE.name] for name in ALL])
    lost, maths = gains <= 0, sample.domains == "maths"
    short = np.stack([table[name] for name in ALL]) <= table[SWAP.name]
    classic, others = (np.stack([table[name] for name in names]) for names in (CLASSIC, OTHERS))
    best = classic.max(axis=0) >= others.max(axis=0)
    always = classic.min(axis=0) > others.max(axis=0)
    return {
        "merges in maths that do not beat the base VLM": (int(lost[:, maths].sum()), lost[:, maths].size),
        "merges elsewhere that do not beat the base VLM": (int(lost[:, ~maths].sum()), lost[:, ~maths].size),
        "pairs whose best method is classic": (int(best.sum()), len(best)),
        "pairs where every classic method beats all others": (int(always.sum()), len(always)),
        "merges that do not beat the expert swapped in": (int(short.sum()), short.size),
    }


def _over_best(sample: Sample, name: str, others: Sequence[str]) -> Figure:
    """A contender's mean over all pairs less the highest mean among others, as each replicate finds it."""
    means = {one: sample.mean([one]) for one in (name, *others)}
    best = Figure(max(means[one].value for one in others), np.max([means[one].drawn for one in others], axis=0))
    return means[name] - best


def _stability(sample: Sample) -> Figure:
    """How much more the shortfall from a pair's best method varies over pairs for others than for classic methods."""
    if len(sample.pairs) < 2:
        return Figure(float("nan"), np.full(len(sample.drawn), np.nan))

    def spread(table: Array) -> float:
        methods = table[:, [NAMES.index(name) for name in ALL]]
        shortfall = (methods.max(axis=1, keepdims=True) - methods).std(axis=0, ddof=1)
        classic = np.isin(ALL, CLASSIC)
        return float(shortfall[~classic].mean() - shortfall[classic].mean())

    return sample.statistic(spread)
