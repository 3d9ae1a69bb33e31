"""Replays every plan on every pool, and keeps what came of it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol, cast

import pandas as pd

from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.errors import ResultsError
from hpo_bench.experiments.spending import experience, honesty, real, stopping
from hpo_bench.experiments.spending.fit import cells, fit
from hpo_bench.experiments.spending.pools import DENSE, SHIPPED, SWEEPS, Draw, dense, shipped, sweeps
from hpo_bench.experiments.spending.racing import FRace, Halving, HbBops, Hyperband, UcbE
from hpo_bench.experiments.spending.rivals import LowRankUcbE, Terminator
from hpo_bench.experiments.spending.whole import MEAN, Step, WholeTrials
from hpo_bench.files import write
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.planning.spending import plan_spending
from landscapes.files import read_parquet

BUDGETS = (400, 800, 1600, 3200, 6400, 12800)
"""Example evaluations at which plans are compared."""
EXAMPLES = {DENSE: (20, 40, 80, 160, 320, 400, 800, 1280, 1600), SHIPPED: (40, 80, 160, 400, 800, 1600)}
TRIALS = (3, 4, 5, 8, 10, 16, 20, 25, 32, 40)
MOST = {2: 40, 3: 60}
"""The study's trials, by number of hyperparameters."""
DRAWS = {DENSE: 8, SHIPPED: 3, SWEEPS: 40}
"""Random halves of the examples of each pool."""
OPTIMIZERS = ("gp-bo", "cma-es", "pattern-search", "powell", "sobol", "random")
GRIDS = {2: {"25-point grid": 5, "100-point grid": 10}, 3: {"100-point grid": (5, 5, 4)}}
STUDY_EXAMPLES = (20, 40, 160)
"""For other optimisers than GP-BO: a fifth of 800 examples, as the study splits, and an eighth and a quarter of it."""
SLOW_BUDGETS = (1600, 6400)
"""For HbBoPs, UCB-E with factorisations, and Optuna's Terminator."""
PLANNED = "planned"
MOST_SEEN = 1590
"""Examples that a plan may see: half of those of a pool."""
LOW_RANK, TERMINATOR = "UCB-E, low-rank", "Optuna's Terminator"
HONEST = {DENSE: (160, 400, 800, 1600), "worlds": (160, 800)}
"""Examples in all, of which honest scores are measured."""
WORLDS = 400
STOPPED = ((DENSE, 2, 400, 1), (DENSE, 2, 1600, 1), (SHIPPED, 3, 400, 1))
"""Pools, examples and draws on which stopping is measured."""
BEGUN = ((DENSE, 2, 800, 2), (SHIPPED, 3, 800, 1))
"""Pools, hyperparameters, examples and draws on which first points from experience are measured."""
NEARLY = 0.98
"""Half of a pool may be a few examples short of a round number."""
PLAN_VERSION = 2
STOPPING_VERSION = 3
Told = Callable[[int, int, str], None]
Part = tuple[str, str, Sequence[str], Callable[[], pd.DataFrame], Mapping[str, int]]
"""Rows that are measured at once: a word on them, their file below the folder, their columns, what measures them, and
what else is said of each."""


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
    """

    source: str
    dim: int
    name: str
    plan: Strategy
    size: int
    draws: int

    @property
    def file(self) -> str:
        """Where its rows are kept, below the folder."""
        return f"{self.source}/{self.name}-{self.dim}d-{self.size}-{self.draws}-v{PLAN_VERSION}.parquet"


@dataclass
class Measurement:
    """What is to be measured, and where it is kept.

    Attributes:
        folder: One file a job, whole or not at all: a second run makes what is missing.
        sweep: A file of sweeps recorded elsewhere, if there is one.
        draws: Of each pool; by default as in `DRAWS`.
        pairs: Which are tuned in the real loop.
    """

    folder: Path
    sweep: Path | None = None
    draws: int | None = None
    pairs: Sequence[Pair] = ()
    _pools: dict[str, list[Pool]] = field(default_factory=dict)

    @cached_property
    def jobs(self) -> list[Replay]:
        """All of them, cheap ones first."""
        found = []
        for source, dim in ((DENSE, 2), (SHIPPED, 2), (SHIPPED, 3)):
            found += self._of(source, dim)
        if self.sweep is not None:
            found += [
                Replay(SWEEPS, 1, "every setting", WholeTrials("grid", (11,), {"levels": 11}), m, self._draws(SWEEPS))
                for m in SWEPT
            ]
        return found

    def run(self, told: Told = lambda *_: None) -> pd.DataFrame:
        """Make what is missing of the plans' replays; all rows, one a recommendation."""
        parts: list[Part] = [
            (f"{job.source}, {job.name}, {job.size}", job.file, COLUMNS, partial(self._rows, job), {})
            for job in self.jobs
        ]
        return self._made(parts, told)

    def planned(self, rows: pd.DataFrame, told: Told = lambda *_: None) -> pd.DataFrame:
        """Make what is missing of the plans of the study's cost and a fifth of it; all rows, with their `budget`.

        Args:
            rows: As `run` gives them. The model behind the plan for a pair is fitted to the other pairs.
            told: Told how far it is.
        """
        wanted: dict[tuple[str, int, int, int, int], list[str]] = {}
        for group, own in rows[rows["plan"] == "gp-bo"].groupby(["source", "dim"]):
            source, dim = cast("tuple[str, int]", group)
            table, cost = cells(own), MOST[int(dim)] * STUDY_EXAMPLES[-1]
            for pair in table["pair"].unique():
                others = table[table["pair"] != pair]
                model = fit(others if len(others) else table)
                for budget in (cost, cost // 5):
                    plan = plan_spending(MOST_SEEN, evaluations=budget, model=model)
                    key = (str(source), int(dim), budget, plan.settings, plan.examples)
                    wanted.setdefault(key, []).append(pair)
        parts: list[Part] = []
        for (source, dim, budget, settings, examples), pairs in wanted.items():
            job = Replay(source, dim, PLANNED, WholeTrials("gp-bo", (settings,)), examples, self._draws(source))
            names = hashlib.sha256(" ".join(pairs).encode()).hexdigest()[:8]
            file = f"{source}/{job.name}-{dim}d-{settings}-{examples}-{job.draws}-{names}-v{PLAN_VERSION}.parquet"
            word = f"{source}, planned: {settings} settings, {examples} examples"
            parts.append((word, file, COLUMNS, partial(self._rows, job, pairs), {"budget": budget}))
        found = self._made(parts, told)
        return found[found["rule"] == MEAN].reset_index(drop=True)

    def honest(self, told: Told = lambda *_: None) -> pd.DataFrame:
        """Make what is missing of honest scores beside the truth, on fine grids and in simulated worlds; all rows."""
        parts: list[Part] = []
        for source, examples in ((one, size) for one in (DENSE, "worlds") for size in HONEST[one]):
            count = self.draws or (WORLDS if source == "worlds" else DRAWS[DENSE])
            file = f"honesty/{source}-{examples}-{count}-v{PLAN_VERSION}.parquet"
            make = partial(self._honest, source, examples, count)
            parts.append((f"{source}, {examples} examples", file, honesty.COLUMNS, make, {}))
        return self._made(parts, told)

    def stopped(self, told: Told = lambda *_: None) -> pd.DataFrame:
        """Make what is missing of tunings that would have ended earlier; all rows."""
        parts: list[Part] = []
        for source, dim, examples, draws in STOPPED:
            count = self.draws or draws
            file = f"stopping/{source}-{dim}d-{examples}-{count}-v{STOPPING_VERSION}.parquet"
            make = partial(self._stopped, source, dim, examples, count)
            parts.append((f"{source}, {examples} examples", file, stopping.COLUMNS, make, {}))
        return self._made(parts, told)

    def begun(self, told: Told = lambda *_: None) -> pd.DataFrame:
        """Make what is missing of tunings from points that were learnt on other pairs and domains; all rows."""
        parts: list[Part] = []
        for source, dim, examples, draws in BEGUN:
            count = self.draws or draws
            name = source if dim == 2 else f"{source}-{dim}d"
            file = f"experience/{name}-{examples}-{count}-v{PLAN_VERSION}.parquet"
            make = partial(self._begun, source, dim, examples, count)
            word = f"{source}, first points from experience"
            parts.append((word, file, experience.COLUMNS, make, {"dim": dim}))
        return self._made(parts, told)

    def really(self, told: Told = lambda *_: None) -> pd.DataFrame:
        """Make what is missing of studies in the real loop, by the plan and by the study's protocol; all rows."""
        every = [(pair, method, draw) for draw in range(self.draws or real.DRAWS)
                 for pair in self.pairs for method in real.METHODS]  # fmt: skip
        if not every:
            return pd.DataFrame(columns=list(real.COLUMNS))
        parts: list[Part] = []
        for pair, method, draw in every:
            file = f"real/{pair.name}-{method}-{draw}-v{real.VERSION}.parquet"
            make = partial(real.in_real_loop, pair, self.folder / "studies", method=method, draw=draw)
            parts.append((f"{pair.name}, {method}, in the real loop", file, real.COLUMNS, make, {}))
        return self._made(parts, told)

    def _made(self, parts: Sequence[Part], told: Told) -> pd.DataFrame:
        """Rows of all parts, each from its file, which is made if it is not there."""
        frames = []
        for done, (word, file, columns, make, about) in enumerate(parts):
            told(done, len(parts), word)
            frames.append(self._kept(self.folder / file, columns, make).assign(**about))
        told(len(parts), len(parts), "done")
        return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)

    def _begun(self, source: str, dim: int, examples: int, draws: int) -> pd.DataFrame:
        """Settings are recorded by method, so that experience is of the same one."""
        by_method: dict[str, list[Pool]] = {}
        for one in self._source(source):
            if one.dim == dim:
                by_method.setdefault(one.name.partition("/")[2], []).append(one)
        parts = [experience.begun(pools, examples, draws=draws) for pools in by_method.values()]
        return pd.concat(parts, ignore_index=True)

    def _stopped(self, source: str, dim: int, examples: int, draws: int) -> pd.DataFrame:
        pools = [one for one in self._source(source) if one.dim == dim]
        return stopping.stopped(pools, examples, draws=draws, budget=MOST[dim])

    def _honest(self, source: str, examples: int, count: int) -> pd.DataFrame:
        if source == "worlds":
            return honesty.in_worlds(count, examples)
        return honesty.on_pools(self._source(DENSE), examples, draws=count)

    @staticmethod
    def _kept(path: Path, columns: Sequence[str], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Rows of a file, which is made if it is not there."""
        if not path.exists():
            rows = make()
            write(path, lambda unfinished: rows.to_parquet(unfinished, index=False))
        frame = read_parquet(path)
        if missing := set(columns) - set(frame.columns):
            raise ResultsError(f"{path} is no measurement: it lacks {sorted(missing)[0]}; delete it")
        return frame

    def _of(self, source: str, dim: int) -> list[Replay]:
        draws, trials = self._draws(source), tuple(sorted({*TRIALS, MOST[dim]}))
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
        for name, plan in ((LOW_RANK, LowRankUcbE()), (TERMINATOR, Terminator())):
            if source == DENSE:  # seconds a draw
                found += [Replay(source, dim, name, plan, budget, 1) for budget in SLOW_BUDGETS]
        if source == DENSE:  # every one of its many settings needs a fit: minutes, where the others take seconds
            found += [Replay(source, dim, "HbBoPs", HbBops(), budget, min(2, draws)) for budget in SLOW_BUDGETS]
        return found

    def _draws(self, source: str) -> int:
        return self.draws or DRAWS[source]

    def _rows(self, job: Replay, pairs: Sequence[str] = ()) -> pd.DataFrame:
        pools = [one for one in self._source(job.source) if one.dim == job.dim and (not pairs or one.pair in pairs)]
        draws = [Draw.of(one, seed) for one in pools for seed in range(job.draws)]
        if isinstance(job.plan, WholeTrials):
            draws = [one for one in draws if one.seen.shape[1] >= NEARLY * job.size]
        return pd.DataFrame(
            [_row(job, draws[step.draw], step) for step in job.plan.run(draws, job.size)] if draws else [],
            columns=list(COLUMNS),
        )

    def _source(self, name: str) -> list[Pool]:
        if name not in self._pools:
            self._pools.clear()  # one at a time: they take a few hundred megabytes
            kinds = {DENSE: dense, SHIPPED: shipped, SWEEPS: lambda: sweeps(self.sweep or Path())}
            self._pools[name] = list(kinds[name]())
        return self._pools[name]


SWEPT = (20, 40, 80, 160, 400, 800, 1600)
COLUMNS = (
    "source", "plan", "dim", "pool", "pair", "domain", "draw", "rule", "size", "settings", "examples", "evaluations",
    "loss", "gain", "optimism",
)  # fmt: skip


def _row(job: Replay, draw: Draw, step: Step) -> tuple[object, ...]:
    pool, truth = draw.pool, float(draw.truth[step.place])
    return (
        job.source, job.name, pool.dim, pool.name, pool.pair, pool.domain, draw.seed, step.rule, job.size,
        step.settings, step.examples, step.evaluations,
        100 * (draw.best - truth), 100 * (truth - draw.base), 100 * (step.reported - truth),
    )  # fmt: skip
