"""The figures of a finished benchmark: what `summary.json` holds, and what tables are made from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark import tiers
from hpo_bench.benchmark.result import Benchmark, Moment
from hpo_bench.statistics.comparisons import Comparison
from hpo_bench.statistics.luck import null_band
from hpo_bench.statistics.ratios import RATIOS, mean_regret
from hpo_bench.statistics.targets import TARGETS, Arrival
from landscapes.random_baseline import equivalent_draws

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MOST_DRAWS = 10_000.0
"""Equivalent random budgets beyond this are not told apart: the tail of a sample of 2^15 points is too thin."""
MOST_NOISY_DRAWS = 1_000.0
"""The same where scores are noisy, and samples have 2^13 points."""


def summary(benchmark: Benchmark) -> dict:
    """All figures of a benchmark as plain JSON values; undefined ones are null.

    Every figure of an optimiser over landscapes comes by subset: over the landscapes on which Random's regret is above
    the noise of a comparison (at the end, where it is of no moment), over all (`_all`), and over those that are not
    weak (`_sound`). Intervals and null bands are for 95%. Null bands are simulated with fixed seeds: the same runs
    give the same figures.
    """
    return {
        "null_band": {point.name: _null_bands(benchmark, point) for point in benchmark.checkpoints},
        "exclusions": {point.name: _exclusions(benchmark, point) for point in benchmark.checkpoints},
        "sound": int(benchmark.sound.sum()),
        "tiers": tiers.figures(benchmark),
        "optimizers": {identity: _optimizer(benchmark, identity) for identity in benchmark.ranking()},
        "comparisons": {
            "reference": benchmark.reference,
            "at": {
                point.name: [_comparison(found) for found in benchmark.comparisons(point)]
                for point in benchmark.checkpoints
            },
            # Of one moment alone, as they take longer than all else here.
            "probability": {
                other: dict(zip(("better", "equivalent", "worse"), found, strict=True))
                for other, found in benchmark.chances(benchmark.overall or benchmark.end).items()
            },
        },
        "landscapes": [_landscape(benchmark, index) for index in range(len(benchmark.landscapes))],
    }


def _subsets(benchmark: Benchmark, point: Moment) -> dict[str, BoolArray]:
    """Which landscapes count, by the suffix of a figure's name."""
    return {"": point.resolved, "_all": np.ones_like(point.resolved), "_sound": benchmark.sound}


def _optimizer(benchmark: Benchmark, identity: str) -> dict:
    contender = next(c for c in benchmark.plan.contenders if c.identity == identity)
    mine = benchmark.runs[benchmark.runs["optimizer"] == identity]
    runs = len(benchmark.landscapes) * benchmark.plan.seeds
    most = MOST_NOISY_DRAWS if benchmark.plan.noisy else MOST_DRAWS
    draws = _equivalent_draws(benchmark, identity, most=most)
    by_landscape = mine.groupby("landscape")["ask_seconds"].agg(["sum", "size"])
    asked = by_landscape.loc[[landscape.name for landscape in benchmark.landscapes]].to_numpy()
    return {
        "label": contender.label,
        "version": contender.kind.version,
        "at": {point.name: _figures(benchmark, point, identity) for point in benchmark.checkpoints},
        "targets": {f"{target:g}": _arrival(benchmark, identity, target) for target in TARGETS},
        **{
            name + suffix: figure(kept) if kept.any() else None
            for suffix, kept in _subsets(benchmark, benchmark.end).items()
            for name, figure in (
                ("equivalent_random_budget", lambda kept: random_budget(draws[kept], benchmark.budgets[kept], most)),
                ("seconds_per_suggestion", lambda kept: float(asked[kept, 0].sum() / asked[kept, 1].sum())),
            )
        },
        "restarts_per_run": float((mine["restart_reason"].notna()).sum() / runs),
    }


def _equivalent_draws(benchmark: Benchmark, identity: str, *, most: float) -> FloatArray:
    """How many random draws, under the same noise, reach an optimiser's mean regret at the end, shape (landscapes,)."""
    found = [
        equivalent_draws(sample, regret, most=most)
        for sample, regret in zip(benchmark.random_samples, benchmark.end.regret[identity].mean(axis=1), strict=True)
    ]
    return np.minimum(most, found)


def random_budget(draws: FloatArray, budgets: NDArray[np.int64], most: float) -> dict[str, float | bool]:
    """Random draws that do as well, over landscapes, as plain JSON values.

    Args:
        draws: On each landscape, those beyond `most` told as `most`, shape (landscapes,).
        budgets: Evaluations that were spent on each, shape (landscapes,).
        most: The greatest number of draws that is told.

    Returns:
        Medians of the draws and of their multiples of the budget, and whether the multiple would be greater if what is
        beyond `most` were known (`at_least`).
    """
    multiple = float(np.median(draws / budgets))
    unbounded = np.where(draws < most, draws, np.inf) / budgets
    return {
        "median": float(np.median(draws)),
        "median_multiple": multiple,
        "at_least": bool(np.median(unbounded) > multiple),
        "most": most,
    }


def _figures(benchmark: Benchmark, point: Moment, identity: str) -> dict:
    values = point.regret[identity]
    figures = {"mean_regret": benchmark.intervals.of(mean_regret, values, point.random).as_json()}
    for name, ratio in RATIOS.items():
        for suffix, kept in _subsets(benchmark, point).items():
            figures[name + suffix] = benchmark.intervals.of(ratio, values, point.random, kept=kept).as_json()
    return figures


def _arrival(benchmark: Benchmark, identity: str, target: float) -> dict:
    """How many evaluations a target takes; the mean is restricted to the least budget, before which no run ends."""
    arrivals = [Arrival.of(benchmark.regret(ls.name, identity), target) for ls in benchmark.landscapes]
    everything = Arrival.pooled(arrivals)
    least = int(benchmark.budgets.min())
    restricted = np.array([np.minimum(one.evaluations, least) for one in arrivals])
    return {
        "share_reached": everything.share,
        "median_evaluations": _number(everything.median()),
        "average_running_time": _number(everything.average_running_time),
        "restricted_mean": benchmark.intervals.of(mean_regret, restricted, np.ones(len(arrivals))).as_json(),
        "restricted_to": least,
    }


def _comparison(found: Comparison) -> dict:
    return {
        "other": found.other,
        "difference": found.difference.as_json(),
        "better_on": found.better,
        "worse_on": found.worse,
        "p_holm": _number(found.p),
        "verdict": found.verdict,
    }


def _null_bands(benchmark: Benchmark, point: Moment) -> dict[str, list[float | None]]:
    simulated = benchmark.luck(point)
    return {
        name + suffix: [_number(end) for end in null_band(ratio, simulated[:, kept], point.random[kept])]
        for name, ratio in RATIOS.items()
        for suffix, kept in _subsets(benchmark, point).items()
    }


def _exclusions(benchmark: Benchmark, point: Moment) -> dict:
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
        "tier": card.tier,
        "domain": card.domain,
        "task": card.benchmark,
        "method": card.method,
        "synthetic": card.synthetic,
        "weaknesses": list(landscape.weaknesses),
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


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _chosen(values: Sequence, kept: BoolArray) -> list:
    return [value for value, keep in zip(values, kept, strict=True) if keep]
