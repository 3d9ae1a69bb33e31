"""The study's findings 1 and 2, tested on our pairs with paired intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from hpo_bench.experiments.methods.lineup import BASE, CLASSIC, EVERYBODY, METHODS, OTHERS, SWAP
from hpo_bench.experiments.methods.measured import PairResult
from hpo_bench.statistics import REPLICATES, Interval
from hpo_bench.statistics.intervals import TAILS

Array = NDArray[np.float64]

NAMES = tuple(one.name for one in EVERYBODY)
SKILL = "skill"


class Sample:
    """Mean scores of everybody on every pair, and what they would be on other examples and pairs.

    Args:
        results: The pairs.
        rng: Source of the resampling.
        skill_only: Whether to score the skill's examples alone.
        replicates: Bootstrap samples.

    Attributes:
        pairs: Names, p of them.
        domains: Their domains, of shape (p,).
        scores: Mean test scores in the order of `EVERYBODY`, of shape (p, contenders).
        drawn: The same on resampled examples, of shape (replicates, p, contenders).
        by_pair: The same where a pair is alone in its domain; of others the mean scores, as they differ by the luck of
            their examples already.
        weights: How much each pair counts in each bootstrap sample, of shape (replicates, p).
    """

    def __init__(
        self,
        results: Sequence[PairResult],
        *,
        rng: np.random.Generator,
        skill_only: bool = False,
        replicates: int = REPLICATES,
    ) -> None:
        self.pairs = [result.pair for result in results]
        self.domains = np.array([result.domain for result in results])
        each = [score_table(result, skill_only=skill_only) for result in results]
        self.scores = np.stack([table.mean(axis=1) for table in each])
        self.drawn = np.stack([_resampled(table, replicates, rng) for table in each], axis=1)
        self.weights, self.by_pair = np.zeros((replicates, len(results))), self.drawn.copy()
        for domain in np.unique(self.domains):
            members = np.flatnonzero(self.domains == domain)
            count = len(members)
            times = rng.multinomial(count, np.full(count, 1 / count), size=replicates)
            # So few pairs, drawn from themselves, differ less than they do from others.
            self.weights[:, members] = 1 + (times - 1) * np.sqrt(count / max(count - 1, 1))
            if count > 1:
                self.by_pair[:, members] = self.scores[members]

    def mean(self, names: Sequence[str], *, over: Sequence[str] = (), domains: Sequence[str] = ()) -> "Figure":
        """Mean score of some contenders less that of others, over the pairs of some domains.

        Args:
            names: Whose mean.
            over: Whose mean is taken off; nobody's without any.
            domains: Of which pairs; all without any. Pairs count alike.
        """
        member = np.isin(self.domains, domains) if domains else np.ones(len(self.pairs), bool)
        contrast = np.zeros(len(NAMES))
        contrast[[NAMES.index(name) for name in names]] += 1 / len(names)
        if over:
            contrast[[NAMES.index(name) for name in over]] -= 1 / len(over)
        weight = self.weights * member
        with np.errstate(invalid="ignore"):
            value = float((self.scores @ contrast)[member].mean()) if member.any() else float("nan")
            drawn = (self.by_pair @ contrast * weight).sum(axis=1) / weight.sum(axis=1)
        _, counts = np.unique(self.domains[member], return_counts=True)
        return Figure(value, drawn, int((counts - 1).sum()) or None)

    def statistic(self, compute: Callable[[Array], float]) -> "Figure":
        """Any function of the table of scores, of shape (pairs, contenders), with the pairs as they are."""
        return Figure(compute(self.scores), np.array([compute(table) for table in self.drawn]))


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate and its bootstrap replicates.

    Attributes:
        value: The estimate.
        drawn: Its replicates.
        freedom: How many pairs more than domains it rests on, whose differences are known from so few; None where it is
            about the pairs as they are.
    """

    value: float
    drawn: Array
    freedom: int | None = None

    def __sub__(self, other: "Figure") -> "Figure":
        known = [one.freedom for one in (self, other) if one.freedom is not None]
        return Figure(self.value - other.value, self.drawn - other.drawn, min(known, default=None))

    @property
    def interval(self) -> Interval:
        """The 95% interval; NaN where the figure is undefined.

        Over pairs it is Student's, with the replicates' standard deviation as the error, as percentiles of so few pairs
        are too near; about the pairs as they are it is the percentiles.
        """
        if np.isnan(self.value) or np.isnan(self.drawn).any():
            return Interval(float("nan"), float("nan"), float("nan"))
        if self.freedom is None:
            low, high = np.quantile(self.drawn, TAILS)
            return Interval(self.value, float(low), float(high))
        reach = float(student.ppf(TAILS[1], self.freedom) * self.drawn.std())
        return Interval(self.value, self.value - reach, self.value + reach)


def score_table(result: PairResult, names: Sequence[str] = NAMES, *, skill_only: bool = False) -> Array:
    """Scores of some contenders on the same examples, of shape (contenders, examples)."""
    ids = [one for one, category in result.categories.items() if not skill_only or category == SKILL]
    return np.array([[result.measured[name].scores[one] for one in ids] for name in names])


def _resampled(scores: Array, replicates: int, rng: np.random.Generator) -> Array:
    """Mean scores on resampled examples, of shape (replicates, contenders)."""
    count = scores.shape[1]
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=replicates)
    return drawn @ scores.T / count


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
    drawn = np.max([means[one].drawn for one in others], axis=0)
    best = Figure(max(means[one].value for one in others), drawn, means[name].freedom)
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
