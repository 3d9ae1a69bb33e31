"""Everybody's scores on every pair, and on resampled examples and pairs.

All contenders answer the same examples, so that every comparison is paired: the bootstrap draws examples of a pair for
all of them at once, and whole pairs within each domain (Davison and Hinkley, Bootstrap Methods, 1997, section 3.8).
Where a domain has one pair its interval shows examples alone, and says nothing about other pairs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.experiments.methods.lineup import EVERYBODY
from hpo_bench.experiments.methods.measured import PairResult
from hpo_bench.statistics import LEVEL, REPLICATES, Interval

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
        weights: How often each pair is in each bootstrap sample, of shape (replicates, p).
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
        self.weights = np.zeros((replicates, len(results)))
        for domain in np.unique(self.domains):
            members = np.flatnonzero(self.domains == domain)
            share = np.full(len(members), 1 / len(members))
            self.weights[:, members] = rng.multinomial(len(members), share, size=replicates)

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
            drawn = (self.drawn @ contrast * weight).sum(axis=1) / weight.sum(axis=1)
        return Figure(value, drawn)

    def statistic(self, compute: Callable[[Array], float]) -> "Figure":
        """Any function of the table of scores, of shape (pairs, contenders), with the pairs as they are."""
        return Figure(compute(self.scores), np.array([compute(table) for table in self.drawn]))


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate and its bootstrap replicates."""

    value: float
    drawn: Array

    def __sub__(self, other: "Figure") -> "Figure":
        return Figure(self.value - other.value, self.drawn - other.drawn)

    @property
    def interval(self) -> Interval:
        """The 95% percentile interval; NaN where the figure is undefined."""
        if np.isnan(self.value) or np.isnan(self.drawn).any():
            return Interval(float("nan"), float("nan"), float("nan"))
        low, high = np.quantile(self.drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(self.value, float(low), float(high))


def score_table(result: PairResult, names: Sequence[str] = NAMES, *, skill_only: bool = False) -> Array:
    """Scores of some contenders on the same examples, of shape (contenders, examples)."""
    ids = [one for one, category in result.categories.items() if not skill_only or category == SKILL]
    return np.array([[result.measured[name].scores[one] for one in ids] for name in names])


def _resampled(scores: Array, replicates: int, rng: np.random.Generator) -> Array:
    """Mean scores on resampled examples, of shape (replicates, contenders)."""
    count = scores.shape[1]
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=replicates)
    return drawn @ scores.T / count
