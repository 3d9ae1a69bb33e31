"""Which plans are replayed on which pools, and at what size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.experiments.spending.knowledge_gradient import KnowledgeGradient
from hpo_bench.experiments.spending.pools import DENSE, KEPT, SHIPPED, SWEEPS, Draw
from hpo_bench.experiments.spending.racing import FRace, Halving, HbBops, Hyperband, UcbE
from hpo_bench.experiments.spending.rivals import LowRankUcbE, Terminator
from hpo_bench.experiments.spending.whole import Step, WholeTrials

BUDGETS = (400, 800, 1600, 3200, 6400, 12800)
"""Example evaluations at which plans are compared."""
EXAMPLES = {DENSE: (20, 40, 80, 160, 320, 400, 800, 1280, 1600), SHIPPED: (40, 80, 160, 400, 800, 1600)}
TRIALS = (3, 4, 5, 8, 10, 16, 20, 25, 32, 40)
MOST = {1: 11, 2: 40, 3: 60}
"""The study's trials, by number of hyperparameters; of one, all that sweeps have."""
DRAWS = {DENSE: 8, SHIPPED: 3, KEPT: 8, SWEEPS: 40}
"""Random halves of the examples of each pool."""
OPTIMIZERS = ("gp-bo", "cma-es", "pattern-search", "powell", "sobol", "random")
GRIDS = {2: {"25-point grid": 5, "100-point grid": 10}, 3: {"100-point grid": (5, 5, 4)}}
SPLIT = 160
"""A fifth of 800 examples, as the study splits."""
STUDY_EXAMPLES = (SPLIT // 8, SPLIT // 4, SPLIT)
"""For other optimisers than GP-BO: the split, and an eighth and a quarter of it."""
SLOW_BUDGETS = (1600, 6400)
"""For HbBoPs, UCB-E with factorisations, Optuna's Terminator, and BoTorch's multi-fidelity knowledge gradient."""
SWEPT = (20, 40, 80, 160, 400, 800, 1600)
PLANNED = "planned"
LOW_RANK, TERMINATOR, GRADIENT = "UCB-E, low-rank", "Optuna's Terminator", "BoTorch's knowledge gradient"
FEW = ("counts-mistral", "ja-llama", "layout-qwen2-vl")
"""Pairs on which the knowledge gradient is run, one of each domain: half a minute of a processor a batch."""
VERSION = 2
NEARLY = 0.98
"""Half of a pool may be a few examples short of a round number."""
COLUMNS = (
    "source", "plan", "dim", "pool", "pair", "domain", "draw", "rule", "size", "settings", "examples", "evaluations",
    "loss", "gain", "optimism",
)  # fmt: skip


class Strategy(Protocol):
    """A way to spend a budget, or to score every setting on so many examples."""

    def run(self, draws: Sequence[Draw], size: int, /) -> Iterator[Step]:
        """Replay each draw."""
        ...


@dataclass(frozen=True)
class Replay:
    """One plan at one size on all pools of one source and dimension.

    Attributes:
        source: Where the pools are from.
        dim: Of the pools.
        name: Of the plan.
        plan: The plan.
        size: Examples of a setting, or a budget in evaluations.
        draws: Of each pool.
        pairs: Of which pairs; of all if empty.
    """

    source: str
    dim: int
    name: str
    plan: Strategy
    size: int
    draws: int
    pairs: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Where its rows are kept, below the folder."""
        return f"{self.source}/{self.name}-{self.dim}d-{self.size}-{self.draws}-v{VERSION}.parquet"

    def rows(self, pools: Sequence[Pool]) -> pd.DataFrame:
        """Replay it on those of the pools that are meant; a row for each recommendation, losses in points."""
        meant = [one for one in pools if one.dim == self.dim and (not self.pairs or one.pair in self.pairs)]
        draws = [Draw.of(one, seed) for one in meant for seed in range(self.draws)]
        if isinstance(self.plan, WholeTrials):
            draws = [one for one in draws if one.seen.shape[1] >= NEARLY * self.size]
        rows = [self._row(draws[step.draw], step) for step in self.plan.run(draws, self.size)] if draws else []
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _row(self, draw: Draw, step: Step) -> tuple[object, ...]:
        pool, truth = draw.pool, float(draw.truth[step.place])
        return (
            self.source, self.name, pool.dim, pool.name, pool.pair, pool.domain, draw.seed, step.rule, self.size,
            step.settings, step.examples, step.evaluations,
            100 * (draw.best - truth), 100 * (truth - draw.base), 100 * (step.reported - truth),
        )  # fmt: skip


def every_replay(draws: int | None = None, *, swept: bool) -> list[Replay]:
    """All that the tables of plans need, cheap ones first.

    Args:
        draws: Of each pool; by default as in `DRAWS`.
        swept: Whether there are sweeps recorded elsewhere.
    """
    found: list[Replay] = []
    for source, dim in ((DENSE, 2), (SHIPPED, 2), (SHIPPED, 3)):
        found += _of(source, dim, draws or DRAWS[source])
    if swept:
        count = draws or DRAWS[SWEEPS]
        found += [Replay(SWEEPS, 1, "every setting", every_setting(), m, count) for m in SWEPT]
    return found


def every_setting() -> WholeTrials:
    """All settings of a sweep, the highest score."""
    return WholeTrials("grid", (MOST[1],), {"levels": MOST[1]})


def _of(source: str, dim: int, draws: int) -> list[Replay]:
    trials = tuple(sorted({*TRIALS, MOST[dim]}))
    found = [Replay(source, dim, "gp-bo", WholeTrials("gp-bo", trials), m, draws) for m in EXAMPLES[source]]
    for name in OPTIMIZERS[1:]:
        found += [Replay(source, dim, name, WholeTrials(name, trials), m, draws) for m in STUDY_EXAMPLES]
    for name, levels in GRIDS[dim].items():
        size = 1
        for level in (levels,) * dim if isinstance(levels, int) else levels:
            size *= level
        plan = WholeTrials("grid", (size,), {"levels": levels})
        found += [Replay(source, dim, name, plan, m, draws) for m in STUDY_EXAMPLES]
    racers = {"successive halving": Halving(), "Hyperband": Hyperband(), "F-race": FRace(), "UCB-E": UcbE()}
    for name, plan in racers.items():
        found += [Replay(source, dim, name, plan, budget, draws) for budget in BUDGETS]
    if source != DENSE:
        return found
    # Seconds a draw; every one of HbBoPs' many settings needs a fit: minutes.
    slow = {LOW_RANK: LowRankUcbE(), TERMINATOR: Terminator()}
    found += [Replay(source, dim, name, plan, budget, 1) for name, plan in slow.items() for budget in SLOW_BUDGETS]
    found += [Replay(source, dim, "HbBoPs", HbBops(), budget, min(2, draws)) for budget in SLOW_BUDGETS]
    found += [Replay(source, dim, GRADIENT, KnowledgeGradient(), budget, 1, FEW) for budget in SLOW_BUDGETS]
    return found
