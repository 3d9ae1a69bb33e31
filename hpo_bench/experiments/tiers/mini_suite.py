"""How well the mini-suite stands for all that ships."""

from collections.abc import Mapping

import numpy as np

from hpo_bench.benchmark import tiers
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.tables import when
from hpo_bench.statistics.agreement import FLOOR, tau_b
from landscapes.suites import mini
from landscapes.terms import ELSEWHERE

CHOICES = 1_000
"""Of landscapes, at random, which the mini-suite is compared with."""
MINI = """\
`hpo-bench run --suite mini`, or `hb.run_benchmark(suites="mini")`, runs {count} landscapes chosen to stand for all that
`hpo-bench run` takes, with {seeds} seeds unless others are asked for: {names}.
They are chosen by their features alone (number of hyperparameters, noise of an evaluation, leave-one-out error, share
of the box that is nearly best, steepest slope, roundness of where it is best, distance of the best from an edge, median
score), so that the energy distance to all (Székely and Rizzo, 2013) is least; no optimiser has a say."""


def mini_agreement(benchmark: Benchmark) -> dict[str, Mapping[str, float | None]]:
    """Kendall's tau of two rankings at every checkpoint.

    One is that on the mini-suite with the seeds that it has unasked, the other that on all it stands for, with all
    seeds.
    """
    ships = [place for place, one in enumerate(benchmark.landscapes) if one.card.tier != ELSEWHERE]
    small = [place for place in ships if benchmark.landscapes[place].name in mini.names()]
    pairs = np.array(benchmark.pairs)
    found = {}
    for point in benchmark.checkpoints:
        part = {one: regret[small, : mini.SEEDS] for one, regret in point.regret.items()}
        whole = {one: regret[ships] for one, regret in point.regret.items()}
        of = pairs[small].tolist(), pairs[ships].tolist()
        found[point.name] = tiers.compared(part, whole, pairs=of[0], reference_pairs=of[1])
    return found


def random_choices(benchmark: Benchmark) -> dict[str, dict[str, float]]:
    """How the mini-suite's agreement compares with that of as many landscapes chosen at random, at every checkpoint.

    Returns:
        The mean of Kendall's tau over the choices, and the share of these that agree at least as well.
    """
    ships = [place for place, one in enumerate(benchmark.landscapes) if one.card.tier != ELSEWHERE]
    small = [place for place in ships if benchmark.landscapes[place].name in mini.names()]
    rng = np.random.default_rng(0)
    choices = [small, *(rng.choice(ships, len(small), replace=False) for _ in range(CHOICES))]
    found = {}
    for point in benchmark.checkpoints:
        regret = np.stack([point.regret[one] for one in benchmark.labels])
        whole = np.maximum(regret[:, ships].mean(axis=(1, 2)), FLOOR)
        parts = np.array([np.maximum(regret[:, of, : mini.SEEDS].mean(axis=(1, 2)), FLOOR) for of in choices])
        own, *others = tau_b(parts, np.broadcast_to(whole, parts.shape))
        found[point.name] = {"mean": float(np.nanmean(others)), "as_good": float(np.mean(others >= own))}
    return found


def sentences(benchmark: Benchmark) -> list[str]:
    """What the page says of the suite: what it is, and how far optimisers rank on it as on all."""
    names = mini.names()
    told = [MINI.format(count=len(names), names=", ".join(names), seeds=mini.SEEDS)]
    if len(benchmark.labels) < 2 or not set(names) <= {one.name for one in benchmark.landscapes}:
        return told
    taus = [f"{tiers.shown(one)} {when(point)}" for point, one in mini_agreement(benchmark).items()]
    chance = [
        f"{one['mean']:.2f} {when(point)}, and {one['as_good']:.0%} of them have that of the suite or more"
        for point, one in random_choices(benchmark).items()
    ]
    return [
        *told,
        f"Kendall's tau of the ranking on these, with {mini.SEEDS} seeds, and that on all they stand for, with "
        f"{benchmark.plan.seeds}: {'; '.join(taus)}. They are a part of all. Of {CHOICES:,} random choices of as many "
        f"landscapes, with as many seeds, the mean tau is {'; '.join(chance)}. Where that share is not small, it is "
        "not shown that choosing by features ranks optimisers better than choosing by chance; it does see to it that "
        "no kind of landscape is missing.",
    ]
