"""The figures of a benchmark: what `summary.json` holds, and what tables and figures are drawn from."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_bench.plan import Plan
from hpo_bench.statistics import RATIOS, Interval, mean_regret, null_band, summarise
from landscapes.landscape import Landscape
from landscapes.random_baseline import equivalent_draws

FloatArray = NDArray[np.float64]

END = "end"
MOST_DRAWS = 10_000.0
"""Equivalent random budgets beyond this are not told apart: the tail of a sample of 2^15 points is too thin."""
EARLY = (10, 20)
"""Evaluations at which smooth landscapes still tell optimisers apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """All optimisers on all landscapes after a number of evaluations.

    Attributes:
        name: That number, or "end" for each landscape's whole budget.
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
        """Regret-over-random of an optimiser on each landscape, shape (landscapes,)."""
        return self.regret[optimizer].mean(axis=1) / self.random


class Benchmark:
    """A finished benchmark.

    Args:
        plan: What was run.
        runs: The long table of `results.assemble`.
    """

    def __init__(self, plan: Plan, runs: pd.DataFrame) -> None:
        self.plan = plan
        self.runs = runs
        self._regret = {
            (str(name), str(optimizer)): group["regret"].to_numpy().reshape(plan.seeds, -1)
            for (name, optimizer), group in runs.groupby(["landscape", "optimiser"], sort=False)
        }

    @property
    def landscapes(self) -> tuple[Landscape, ...]:
        """All landscapes, in the order of every array here."""
        return self.plan.landscapes

    @property
    def labels(self) -> dict[str, str]:
        """What figures call each optimiser."""
        return {contender.identity: contender.label for contender in self.plan.contenders}

    @property
    def pairs(self) -> list[str]:
        """The pair of each landscape."""
        return [landscape.card.pair for landscape in self.landscapes]

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
    def random_curves(self) -> list[FloatArray]:
        """Random's expected regret after 1, 2, ... evaluations on each landscape, each of shape (budget,)."""
        return [
            landscape.random_regret(int(budget))
            for landscape, budget in zip(self.landscapes, self.budgets, strict=True)
        ]

    def regret(self, landscape: str, optimizer: str) -> FloatArray:
        """Regret after each evaluation of each run, shape (seeds, budget)."""
        return self._regret[landscape, optimizer]

    @cached_property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """After 10 and 20 evaluations, where the budgets allow, and at the end."""
        early = [t for t in EARLY if t < self.budgets.min()]
        return (
            *(self._checkpoint(str(t), np.full_like(self.budgets, t)) for t in early),
            self._checkpoint(END, self.budgets),
        )

    @property
    def end(self) -> Checkpoint:
        """The last checkpoint."""
        return self.checkpoints[-1]

    def _checkpoint(self, name: str, at: NDArray[np.int64]) -> Checkpoint:
        random = np.array([curve[t - 1] for curve, t in zip(self.random_curves, at, strict=True)])
        regret = {
            optimizer: np.stack(
                [self.regret(ls.name, optimizer)[:, t - 1] for ls, t in zip(self.landscapes, at, strict=True)]
            )
            for optimizer in self.labels
        }
        return Checkpoint(name, at, random, random > self.noise, regret)

    def ranking(self) -> list[str]:
        """Optimisers by mean regret over random's at the end, best first: the one ratio that needs no exclusions."""
        return sorted(self.labels, key=lambda optimizer: float(self.end.regret[optimizer].mean()))


def summary(benchmark: Benchmark) -> dict:
    """All figures of a benchmark as plain JSON values; undefined ones are null.

    Intervals and null bands are for 95%. Their generators have fixed seeds: the same runs give the same figures.
    """
    return {
        "null_band": {point.name: _null_bands(benchmark, point) for point in benchmark.checkpoints},
        "exclusions": {point.name: _exclusions(benchmark, point) for point in benchmark.checkpoints},
        "optimisers": {identity: _optimizer(benchmark, identity) for identity in benchmark.ranking()},
        "landscapes": [_landscape(benchmark, index) for index in range(len(benchmark.landscapes))],
    }


def _optimizer(benchmark: Benchmark, identity: str) -> dict:
    contender = next(c for c in benchmark.plan.contenders if c.identity == identity)
    mine = benchmark.runs[benchmark.runs["optimiser"] == identity]
    end = benchmark.end
    budgets = np.minimum(
        MOST_DRAWS,
        [
            equivalent_draws(ls.regret_sample, regret, most=MOST_DRAWS)
            for ls, regret in zip(benchmark.landscapes, end.regret[identity].mean(axis=1), strict=True)
        ],
    )
    runs = len(benchmark.landscapes) * benchmark.plan.seeds
    return {
        "label": contender.label,
        "version": contender.kind.version,
        "at": {point.name: _figures(benchmark, point, identity) for point in benchmark.checkpoints},
        "equivalent_random_budget": {
            "median": float(np.median(budgets)),
            "median_multiple": float(np.median(budgets / end.budgets)),
            "most": MOST_DRAWS,
        },
        "restarts_per_run": float((mine["restart_reason"].notna()).sum() / runs),
        "seconds_per_suggestion": float(mine["ask_seconds"].mean()),
    }


def _figures(benchmark: Benchmark, point: Checkpoint, identity: str) -> dict:
    everywhere = np.ones_like(point.resolved)
    figures = {"mean_regret": _interval(benchmark, point, identity, "mean_regret", everywhere)}
    for name in RATIOS:
        figures[name] = _interval(benchmark, point, identity, name, point.resolved)
        figures[f"{name}_all"] = _interval(benchmark, point, identity, name, everywhere)
    return figures


def _interval(
    benchmark: Benchmark, point: Checkpoint, identity: str, name: str, kept: NDArray[np.bool_]
) -> dict[str, float | None]:
    interval = summarise(
        RATIOS.get(name, mean_regret),
        regret=point.regret[identity][kept],
        random=point.random[kept],
        pairs=_chosen(benchmark.pairs, kept),
        rng=_generator(point.name),
    )
    return as_json(interval)


def _null_bands(benchmark: Benchmark, point: Checkpoint) -> dict[str, list[float | None]]:
    bands = {}
    for name, ratio in RATIOS.items():
        for suffix, kept in (("", point.resolved), ("_all", np.ones_like(point.resolved))):
            band = null_band(
                ratio,
                samples=_chosen([ls.regret_sample for ls in benchmark.landscapes], kept),
                random=point.random[kept],
                budgets=point.budgets[kept].tolist(),
                seeds=benchmark.plan.seeds,
                rng=_generator(point.name),
            )
            bands[name + suffix] = [_number(end) for end in band]
    return bands


def _exclusions(benchmark: Benchmark, point: Checkpoint) -> dict:
    names = [landscape.name for landscape in benchmark.landscapes]
    return {
        "counted": int(point.resolved.sum()),
        "excluded": int((~point.resolved).sum()),
        "names": _chosen(names, ~point.resolved),
    }


def _landscape(benchmark: Benchmark, index: int) -> dict:
    landscape, card = benchmark.landscapes[index], benchmark.landscapes[index].card
    mine = benchmark.runs[benchmark.runs["landscape"] == landscape.name]
    return {
        "name": landscape.name,
        "pair": card.pair,
        "domain": card.domain,
        "task": card.benchmark,
        "method": card.method,
        "synthetic": card.synthetic,
        "content_hash": landscape.content_hash,
        "budget": int(benchmark.budgets[index]),
        "maximum": landscape.optimum.score,
        "minimum": landscape.minimum.score,
        "maximum_gap": landscape.optimum.gap,
        "noise_of_an_evaluation": _number(landscape.noise),
        "noise_of_a_comparison": _number(landscape.regret_noise),
        "noise_over_range": float(benchmark.noise[index]),
        "surpassed": bool((mine["regret"] < 0).any()),
        "random_regret": {point.name: float(point.random[index]) for point in benchmark.checkpoints},
        "regret": {
            point.name: {identity: float(point.regret[identity][index].mean()) for identity in benchmark.labels}
            for point in benchmark.checkpoints
        },
    }


def as_json(interval: Interval) -> dict[str, float | None]:
    """An interval with null for what is undefined."""
    return {"value": _number(interval.value), "low": _number(interval.low), "high": _number(interval.high)}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _chosen(values: Sequence, kept: NDArray[np.bool_]) -> list:
    return [value for value, keep in zip(values, kept, strict=True) if keep]


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))
