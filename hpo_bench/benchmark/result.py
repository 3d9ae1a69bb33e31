"""A finished benchmark: its runs as arrays, by checkpoint, and what they are compared with."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.runs import stored_runs
from hpo_bench.benchmark.searches import RANKED, SEARCHES, random_searches, ranked, taken
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.statistics.comparisons import Comparison, chances, compare
from hpo_bench.statistics.cube import Cube
from hpo_bench.statistics.intervals import Intervals
from hpo_bench.statistics.luck import random_benchmarks
from hpo_bench.statistics.ratios import REGRET_FLOOR, over_random
from hpo_bench.statistics.rounding import told_apart
from landscapes.problem import Problem

FloatArray = NDArray[np.float64]

END = "end"
OVERALL = "t>=10"
"""The mean over all evaluations from the tenth on: the one figure that no choice of a moment decides."""
SINCE = 10
EARLY = (10, 20)
"""Evaluations at which smooth landscapes still tell optimisers apart."""
REFERENCE = "gp-bo"
"""Whom the others are compared with, fixed beforehand; where it does not take part, whoever was named first."""


def moments_of(budgets: NDArray[np.int64]) -> list[int | None]:
    """The moments to look at runs of such budgets: those of `EARLY` before the least, and the end, which is None."""
    return [*(t for t in EARLY if t < budgets.min()), None]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """All optimisers on all landscapes after a number of evaluations, or on average over many.

    Attributes:
        name: That number, "end" for each landscape's whole budget, or "t>=10" for the mean from the tenth on.
        budgets: Evaluations on each landscape, shape (landscapes,).
        random: Random's expected regret there, shape (landscapes,).
        resolved: Where that is above the noise of a comparison, so that regret-over-random has a meaning.
        regret: For each optimiser the regrets, shape (landscapes, seeds).
    """

    name: str
    budgets: NDArray[np.int64]
    random: FloatArray
    resolved: NDArray[np.bool_]
    regret: Mapping[str, FloatArray]

    def ratios(self, optimizer: str) -> FloatArray:
        """Regret-over-random of an optimiser on each landscape, shape (landscapes,); see `over_random`."""
        return over_random(self.regret[optimizer].mean(axis=1), self.random)


class Benchmark:
    """A finished benchmark.

    Args:
        plan: What was run.
        runs: The long table of `runs.assemble`.
    """

    def __init__(self, plan: Plan, runs: pd.DataFrame) -> None:
        self.plan = plan
        self.runs = runs
        self.regrets = self.cube("regret")
        self._luck: dict[str, FloatArray] = {}

    @classmethod
    def stored(cls, plan: Plan, folder: ResultsFolder) -> Self:
        """The runs of a plan that were all made.

        Raises:
            ResultsError: If a run is not stored, or what is stored is damaged.
        """
        return cls(plan, stored_runs(plan, folder))

    @property
    def landscapes(self) -> tuple[Problem, ...]:
        """All landscapes, in the order of every array here."""
        return self.plan.landscapes

    @property
    def labels(self) -> dict[str, str]:
        """What figures call each optimiser."""
        return {contender.identity: contender.label for contender in self.plan.contenders}

    @property
    def reference(self) -> str:
        """Whom the others are compared with."""
        return REFERENCE if REFERENCE in self.labels else self.plan.contenders[0].identity

    @property
    def pairs(self) -> list[str]:
        """The pair of each landscape."""
        return [landscape.card.pair for landscape in self.landscapes]

    @cached_property
    def sound(self) -> NDArray[np.bool_]:
        """Which landscapes are not weak, shape (landscapes,)."""
        return np.array([not landscape.weaknesses for landscape in self.landscapes])

    @cached_property
    def budgets(self) -> NDArray[np.int64]:
        """Evaluations of each run, shape (landscapes,)."""
        return np.array([self.plan.budget_of(landscape) for landscape in self.landscapes])

    @cached_property
    def noise(self) -> FloatArray:
        """Standard error of a regret near the optimum, as a fraction of the range; 0 where it is not known.

        Paired over examples (see `Landscape.regret_noise`): a regret is a difference of scores on the same examples.
        """
        return np.nan_to_num([landscape.regret_noise / landscape.range for landscape in self.landscapes], nan=0.0)

    @cached_property
    def intervals(self) -> Intervals:
        """Intervals of figures over these landscapes."""
        return Intervals(self.pairs)

    @cached_property
    def random_searches(self) -> list[FloatArray]:
        """Regrets of simulated random searches on each landscape, each of shape (searches, budget)."""
        found = []
        for landscape, budget in zip(self.landscapes, self.budgets, strict=True):
            rng = np.random.default_rng(zlib.crc32(landscape.name.encode()))
            if self.plan.noisy:
                found.append(taken(*landscape.tried((SEARCHES, int(budget)), rng=rng)))
            else:
                found.append(random_searches(landscape.regret_sample, int(budget), rng=rng))
        return found

    @cached_property
    def random_curves(self) -> list[FloatArray]:
        """Random's expected regret after 1, 2, ... evaluations on each landscape, each of shape (budget,).

        Exact without noise, and the mean of the simulated searches with it.
        """
        if self.plan.noisy:
            return [searches.mean(axis=0) for searches in self.random_searches]
        return [
            landscape.random_regret(int(budget))
            for landscape, budget in zip(self.landscapes, self.budgets, strict=True)
        ]

    @cached_property
    def random_samples(self) -> list[FloatArray]:
        """Regrets on each landscape in the order of what they seem, of which `equivalent_draws` counts draws.

        Without noise those of the uniform sample, which increase, and with it those of simulated settings by rank.
        """
        if not self.plan.noisy:
            return [landscape.regret_sample for landscape in self.landscapes]
        rngs = [np.random.default_rng([zlib.crc32(one.name.encode()), 1]) for one in self.landscapes]
        return [ranked(*one.tried(RANKED, rng=rng)) for one, rng in zip(self.landscapes, rngs, strict=True)]

    def cube(self, figure: str) -> Cube:
        """A column of the runs by landscape, optimiser, seed and evaluation, in the order of the plan."""
        names = [landscape.name for landscape in self.landscapes]
        return Cube.of(self.runs, figure, problems=names, optimizers=list(self.labels))

    def regret(self, landscape: str, optimizer: str) -> FloatArray:
        """Regret after each evaluation of each run, shape (seeds, budget)."""
        return self.regrets.curve(landscape, optimizer)

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """After 10 and 20 evaluations, where the budgets allow, and at the end."""
        return tuple(self._moment(t) for t in moments_of(self.budgets))

    @cached_property
    def overall(self) -> Moment | None:
        """The mean from the tenth evaluation on; None where budgets are no longer than that."""
        if self.budgets.min() <= SINCE:
            return None
        random = np.array([curve[SINCE - 1 :].mean() for curve in self.random_curves])
        return Moment(OVERALL, self.budgets, random, random > self.noise, self.regrets.since(SINCE))

    @property
    def checkpoints(self) -> tuple[Moment, ...]:
        """The moments and, where there is one, the mean over many."""
        return (*self.moments, self.overall) if self.overall else self.moments

    @property
    def end(self) -> Moment:
        """The last moment."""
        return self.moments[-1]

    def _moment(self, t: int | None) -> Moment:
        at = self.budgets if t is None else np.full_like(self.budgets, t)
        random = np.array([curve[t - 1] for curve, t in zip(self.random_curves, at, strict=True)])
        return Moment(END if t is None else str(t), at, random, random > self.noise, self.regrets.at(t))

    def luck(self, point: Moment) -> FloatArray:
        """Mean regrets of Random in simulated benchmarks like this one, shape (replicates, landscapes)."""
        if point.name not in self._luck:
            searches = [
                own[:, SINCE - 1 :].mean(axis=1) if point.name == OVERALL else own[:, t - 1]
                for own, t in zip(self.random_searches, point.budgets, strict=True)
            ]
            rng = np.random.default_rng(zlib.crc32(point.name.encode()))
            self._luck[point.name] = random_benchmarks(np.stack(searches), self.plan.seeds, rng=rng)
        return self._luck[point.name]

    def comparisons(self, point: Moment) -> list[Comparison]:
        """The reference against every other, best of these first."""
        found = compare(self.reference, point.regret, point.random, intervals=self.intervals)
        return sorted(found, key=lambda one: one.difference.value)

    def chances(self, point: Moment) -> dict[str, tuple[float, float, float]]:
        """By every other, that the reference is better, equivalent and worse; differences below the noise are none."""
        rope = np.maximum(self.noise, REGRET_FLOOR)
        return {
            other: chances(other, point.regret[self.reference], theirs, rope=rope, pairs=self.intervals.pairs)
            for other, theirs in point.regret.items()
            if other != self.reference
        }

    def ranks(self, point: Moment) -> FloatArray:
        """The rank of each optimiser by mean regret on each landscape, 1 the best, equals sharing theirs.

        Returns:
            Shape (optimisers, landscapes), in the order of `labels`.
        """
        means = np.stack([point.regret[identity].mean(axis=1) for identity in self.labels])
        equal = told_apart(means, float(means.max(initial=0.0)))
        return pd.DataFrame(equal).rank(axis=0, method="average").to_numpy()

    def ranking(self) -> list[str]:
        """Optimisers by mean regret over random's at the end, best first: the one ratio that needs no exclusions."""
        return sorted(self.labels, key=lambda optimizer: float(self.end.regret[optimizer].mean()))
