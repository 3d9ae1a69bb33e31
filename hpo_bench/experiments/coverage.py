"""How often the intervals that we print hold the truth, by simulation.

`python -m hpo_bench.experiments.coverage` writes the page.

Benchmarks, comparisons and examples are drawn from worlds in which the truth is known, and judged by the very code that
prints intervals. A 95% interval should hold it in 95 of 100: fewer is too narrow, more is too wide.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_bench.display.table import TextTable
from hpo_bench.display.words import figure
from hpo_bench.experiments.page import Part, save_page
from hpo_bench.statistics.examples import Z95, error_of_difference
from hpo_bench.statistics.intervals import Interval, Intervals
from hpo_bench.statistics.ratios import Summary, geometric_mean, mean_regret, median, ratio_of_means

Array = NDArray[np.float64]

PAGE = Path("docs/intervals.md")
REPLICATES = 400
"""Simulated benchmarks behind a figure, whose standard error at 95% is 1.1%."""
DRAWS = 1000
"""Bootstrap samples of a simulated table of merge methods."""
SUMMARIES = {
    "ratio of means": ratio_of_means,
    "mean regret": mean_regret,
    "geometric mean RoR": geometric_mean,
    "median RoR": median,
}
SPREADS = (0.0, 0.3, 0.7, 1.0, 1.5, 2.0)
PAIRS = (10, 6, 3)


@dataclass(frozen=True, slots=True)
class World:
    """Pairs, of three landscapes each, on which an optimiser's regret over random differs.

    Attributes:
        pairs: How many are drawn for a benchmark.
        spread: Standard deviation of the logarithm of the ratio over pairs, half of which is added within pairs. Our
            optimisers' are .1 to .6 at t = 10, and up to 3 at the end for those that solve most landscapes.
        seeds: Runs on each landscape, whose regrets are exponentially distributed.
    """

    pairs: int
    spread: float
    seeds: int = 10

    def random(self, rng: np.random.Generator) -> Array:
        """Random's expectations, shape (landscapes,)."""
        return 0.1 * np.exp(np.repeat(rng.normal(0, 0.5, self.pairs), 3) + rng.normal(0, 0.3, 3 * self.pairs))

    def regret(self, random: Array, rng: np.random.Generator) -> Array:
        """Regrets of an optimiser that is as good as Random on average, shape (landscapes, seeds)."""
        effect = np.repeat(rng.normal(0, self.spread, self.pairs), 3)
        effect += rng.normal(0, self.spread / 2, 3 * self.pairs)
        ratio = np.exp(effect - self.variance / 2)
        return (random * ratio)[:, None] * rng.exponential(size=(3 * self.pairs, self.seeds))

    @property
    def variance(self) -> float:
        """Of the logarithm of the ratio over landscapes."""
        return 1.25 * self.spread**2

    @property
    def names(self) -> list[str]:
        """The pair of each landscape."""
        return [str(place // 3) for place in range(3 * self.pairs)]

    def truth(self, summary: Summary) -> float:
        """The figure for pairs without end."""
        if summary is ratio_of_means:
            return 1.0
        if summary is mean_regret:
            return 0.1 * float(np.exp((0.5**2 + 0.3**2) / 2))
        many, rng = World(50_000, self.spread, self.seeds), np.random.default_rng(0)
        random = many.random(rng)
        return float(summary(many.regret(random, rng).mean(axis=1), random, np.ones(len(random))))


def holds(interval: Interval, truth: float) -> bool:
    """Whether an interval is there and holds the truth."""
    return interval.low <= truth <= interval.high


def of_summary(summary: Summary, world: World, *, replicates: int = REPLICATES, seed: int = 0) -> float:
    """Coverage of a figure's interval; NaN where it is undefined."""
    rng, intervals, truth = np.random.default_rng(seed), Intervals(world.names), world.truth(summary)
    found = []
    for _ in range(replicates):
        random = world.random(rng)
        found.append(intervals.of(summary, world.regret(random, rng), random))
    return _share(found, truth)


def of_difference(world: World, *, factor: float = 1.0, replicates: int = REPLICATES, seed: int = 0) -> float:
    """Coverage of the paired difference of an optimiser and another whose regrets are so many times smaller."""
    rng, intervals = np.random.default_rng(seed), Intervals(world.names)
    found = []
    for _ in range(replicates):
        random = world.random(rng)
        found.append(intervals.difference(world.regret(random, rng), world.regret(random, rng) / factor, random))
    return _share(found, 1 - 1 / factor)


def of_seeds(world: World, *, replicates: int = REPLICATES, seed: int = 0) -> float:
    """Coverage of the ratio on the landscapes of one pair as they are, by its seeds."""
    rng = np.random.default_rng(seed)
    found = [
        Intervals(["a", "a", "a"]).of(ratio_of_means, rng.exponential(size=(3, world.seeds)), np.ones(3))
        for _ in range(replicates)
    ]
    return _share(found, 1.0)


def of_answers(examples: int, *, differing: float, replicates: int = REPLICATES, seed: int = 0) -> float:
    """Coverage of the difference of two merges on the same examples, as a study's report has it.

    Args:
        examples: How many.
        differing: Share of them on which the two do not answer alike, two thirds of these for the better.
        replicates: Simulated comparisons.
        seed: Of the simulation.
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(replicates):
        kind = rng.choice(3, size=examples, p=[2 * differing / 3, differing / 3, 1 - differing])
        differences = np.choose(kind, (1.0, -1.0, 0.0))
        value, error = float(differences.mean()), error_of_difference(differences)
        found.append(Interval(value, value - Z95 * error, value + Z95 * error))
    return _share(found, differing / 3)


def of_methods(
    pairs: int, *, spread: float, replicates: int = REPLICATES // 4, draws: int = DRAWS, seed: int = 0
) -> float:
    """Coverage of a mean difference of merge methods over the pairs of a domain, as `hpo-bench methods` has it.

    Args:
        pairs: How many there are.
        spread: Standard deviation of the difference over pairs, in score units.
        replicates: Simulated tables.
        draws: Bootstrap samples of each.
        seed: Of the simulation.
    """
    from hpo_bench.experiments.methods.findings import NAMES, Sample
    from hpo_bench.experiments.methods.measured import Measured, PairResult

    rng, found, truth = np.random.default_rng(seed), [], 0.1
    ids = [str(place) for place in range(300)]
    alike = dict.fromkeys(ids, "skill")
    for _ in range(replicates):
        results = []
        for pair in range(pairs):
            chances = dict.fromkeys(NAMES, 0.6) | {"ta": np.clip(0.6 + rng.normal(truth, spread), 0, 1)}
            luck = rng.random(len(ids))
            scores = {
                name: dict(zip(ids, (luck < chance).astype(float), strict=True)) for name, chance in chances.items()
            }
            measured = {name: Measured(name, {}, own, alike, 0.0) for name, own in scores.items()}
            results.append(PairResult(str(pair), "language", "questions", True, measured))
        found.append(Sample(results, rng=rng, replicates=draws).mean(["ta"], over=["nan"]).interval)
    return _share(found, truth)


def of_tau(world: World, *, replicates: int = REPLICATES // 4, seed: int = 0) -> float:
    """Coverage of Kendall's tau between the rankings of six optimisers under two guises, as `hpo-bench ranking` has it.

    Under the second guise two optimisers that are next to each other have changed places: the truth is 13 of 15.
    """
    from hpo_bench.statistics.agreement import agree

    factors = np.array([0.1, 0.2, 0.4, 0.6, 0.8, 1.0])
    rng, found = np.random.default_rng(seed), []
    for _ in range(replicates):
        random = world.random(rng)
        guises = [
            {str(place): factor * world.regret(random, rng) for place, factor in enumerate(own)}
            for own in (factors, factors[[0, 1, 3, 2, 4, 5]])
        ]
        one = agree(*guises, pairs=world.names)
        found.append(Interval(one.tau, one.low, one.high))
    return _share(found, 13 / 15)


def _share(found: Sequence[Interval], truth: float) -> float:
    """Of those intervals that are there, how many hold the truth; NaN if hardly any is there."""
    there = [one for one in found if not np.isnan(one.low)]
    return float(np.mean([holds(one, truth) for one in there])) if 2 * len(there) > len(found) else float("nan")


def by_pairs(replicates: int) -> TextTable:
    """Intervals of the benchmark, by the number of pairs and how they differ."""
    rows = []
    for pairs in PAIRS:
        for spread in SPREADS:
            world = World(pairs, spread)
            cells = [of_summary(summary, world, replicates=replicates) for summary in SUMMARIES.values()]
            cells += [of_difference(world, factor=factor, replicates=replicates) for factor in (1.0, 20.0)]
            name = f"{pairs} pairs, {spread:g}" if spread else f"{pairs} pairs, luck of seeds alone"
            rows.append((name, *(figure(one, ".1%") for one in cells)))
    heads = ("pairs, their spread", *SUMMARIES, "difference of two alike", "difference, one 20 times better")
    return TextTable.of(heads, rows)


def others(replicates: int) -> TextTable:
    """All other intervals that we print."""
    few = max(replicates // 4, 10)
    cells = {
        "ratio of means, one pair, by 10 seeds": of_seeds(World(1, 0.0), replicates=replicates),
        "ratio of means, one pair, by 3 seeds": of_seeds(World(1, 0.0, seeds=3), replicates=replicates),
        **{
            f"two merges, {examples} test examples, {differing:.0%} answered otherwise": of_answers(
                examples, differing=differing, replicates=replicates
            )
            for examples in (80, 320)
            for differing in (0.03, 0.1, 0.3)
        },
        **{
            f"merge methods, {pairs} pairs of a domain": of_methods(pairs, spread=0.05, replicates=few)
            for pairs in (2, 3, 5)
        },
        **{
            f"Kendall's tau of two rankings, {pairs} pairs, spread {spread:g}": of_tau(
                World(pairs, spread), replicates=few
            )
            for pairs in (10, 5)
            for spread in (0.0, 0.7)
        },
    }
    return TextTable.of(("interval", "coverage"), ((name, figure(share, ".1%")) for name, share in cells.items()))


def page(replicates: int = REPLICATES) -> list[Part]:
    """What stands on the page."""
    return [ABOUT, by_pairs(replicates), OTHERS, others(replicates)]


ABOUT = f"""
# How often our intervals hold the truth

Made by `python -m hpo_bench.experiments.coverage`: benchmarks are drawn from worlds in which the truth is known, and
each is judged by the code that prints the intervals. A 95% interval should hold the truth in 95% of them. {REPLICATES}
benchmarks are behind a figure (100 behind those of methods and of tau); its standard error is 1.1 points at 95%.

A benchmark is ten, six or three pairs of three landscapes, with ten seeds. *Spread* is the standard deviation over
pairs of the logarithm of regret over random (half of which again is added within pairs); those of our optimisers are
.1 to .9 at t = 10, .1 to 1.2 over t >= 10, and at the end .1 to .6 for Random, Sobol, Powell and CMA-ES, 1.2 for
Grid, 2.4 for Pattern Search and 3 for GP-BO. What is estimated is the figure for pairs without end.

Up to a spread of 1 ratios of means hold in 91 to 97% with six pairs and ten. Beyond, no interval can: one in hundreds
of pairs then has much of all regret, and ten pairs seldom include it. So at the end the ratios of means of GP-BO and
Pattern Search are less certain than their intervals say; geometric means and medians hold even then. Medians have
no interval for fewer than six pairs. (A percentile bootstrap over pairs and, within, seeds, which was here before,
holds in 99.8%, 96%, 87%, 80%, 69% and 58% for the ratio of means of ten pairs: it counts the luck of seeds
twice, and sees no tails.)
"""
OTHERS = """
## All other intervals

Two merges on the same test examples (reports, model cards, `cost`, `scale`): 1.96 standard errors of the paired
difference, as if one more example had come out better and one worse (after Bonett and Price, 2012; see
`hpo_bench/statistics/examples.py`). Where hardly any answer differs this is wide rather than wrong; the plain error
holds in 84% of cases at 80 examples of which 3% differ, and in 33% at 40 of which 1% do. Graded scores, of which rare
ones are large and all others small, are the exception: nothing that was seen tells of them. A single score, such as
`0.812 ± 0.085`, counts two more of either end (after Agresti and Coull, 1998).

Tables of merge methods: Student's t over the pairs of a domain, which differ by five points here, as many degrees of
freedom as there are pairs more than domains. (Percentiles of a bootstrap, which were here before and are still on
`docs/methods/methods.md`, hold in 78%, 75% and 90% with two, three and five pairs: read its findings with that in
mind.) Kendall's tau: a bootstrap over pairs and seeds, of six optimisers of which two have changed places; two of these
are close, so that the order is a matter of luck. With five pairs it is too narrow.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulate how often our intervals hold, and write the page about it.")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    save_page(parser.parse_args().page, page())
