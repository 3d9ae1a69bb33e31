"""Replays every plan on every pool, and keeps what came of it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import cast

import pandas as pd

from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.display.steps import Told
from hpo_bench.errors import ResultsError
from hpo_bench.experiments.spending import experience, honesty, overhead, real, stopping
from hpo_bench.experiments.spending.fit import cells, fit
from hpo_bench.experiments.spending.pools import DENSE, KEPT, SHIPPED, SWEEPS, dense, kept_back, shipped, sweeps
from hpo_bench.experiments.spending.replays import (
    COLUMNS,
    DRAWS,
    MOST,
    PLANNED,
    SPLIT,
    VERSION,
    Replay,
    every_replay,
    every_setting,
)
from hpo_bench.experiments.spending.whole import HIGHEST, MEAN, WholeTrials
from hpo_bench.files import write
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.planning.spending import model_of, plan_spending
from landscapes.files import read_parquet

STUDY = "the study's protocol"
BY_FIT, BY_TUNE = "fitted to other pairs", "as `tune` makes it"
"""How a plan was made: by a model of this run, or by the one in use."""
SHARES = (1, 5)
"""The plan is given what the study's protocol costs, and a fifth of it."""
MOST_SEEN = 1590
"""Examples that a plan may see: half of those of a pool."""
WORLDS_SOURCE = "worlds"
HONEST = {DENSE: (160, 400, 800, 1600), KEPT: (160, 400, 800), WORLDS_SOURCE: (160, 800)}
"""Examples in all, of which honest scores are measured."""
WORLDS = 400
STOPPED = ((DENSE, 2, 400, 1), (DENSE, 2, 1600, 1), (SHIPPED, 3, 400, 1), (SHIPPED, 3, 1600, 1))
"""Pools, examples and draws on which stopping is measured."""
BEGUN = ((DENSE, 2, 800, 2), (SHIPPED, 3, 800, 1))
"""Pools, hyperparameters, examples and draws on which first points from experience are measured."""
STOPPING_VERSION = 3
Part = tuple[str, str, Sequence[str], Callable[[], pd.DataFrame], Mapping[str, int | str]]
"""Rows that are measured at once: a word on them, their file below the folder, their columns, what measures them, and
what else is said of each."""


@dataclass
class Measurement:
    """What is to be measured, and where it is kept.

    Attributes:
        folder: One file a job, whole or not at all: a second run makes what is missing.
        sweep: A file of sweeps recorded elsewhere, if there is one.
        draws: Of each pool; by default as in `DRAWS`.
        pairs: Which are tuned in the real loop.
        told: Told how far each kind of measurement is.
    """

    folder: Path
    sweep: Path | None = None
    draws: int | None = None
    pairs: Sequence[Pair] = ()
    told: Told = lambda *_: None
    _pools: dict[str, list[Pool]] = field(default_factory=dict)

    @cached_property
    def jobs(self) -> list[Replay]:
        """All replays of plans."""
        return every_replay(self.draws, swept=self.sweep is not None)

    def run(self) -> pd.DataFrame:
        """Make what is missing of the plans' replays; all rows, one a recommendation."""
        parts: list[Part] = [
            (f"{job.source}, {job.name}, {job.size}", job.file, COLUMNS, partial(self._rows, job), {})
            for job in self.jobs
        ]
        return self._made(parts)

    def planned(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Make what is missing of the plans of the study's cost and a fifth of it.

        Args:
            rows: As `run` gives them. The model behind the plan for a pair is fitted to the other pairs; beside it is
                the plan that `tune` makes.

        Returns:
            Rows of the study's protocol, of `share` 0, and of plans that may cost a whole of that or a fifth; `by` says
            how they were made.
        """
        parts: list[Part] = []
        for group, own in rows[rows["plan"] == "gp-bo"].groupby(["source", "dim"]):
            source, dim = cast("tuple[str, int]", group)
            table = cells(own)
            wanted: dict[tuple[str, int, int, int], list[str]] = {}
            for pair in table["pair"].unique():
                others = table[table["pair"] != pair]
                models = {BY_FIT: fit(others if len(others) else table), BY_TUNE: model_of(int(dim))}
                for share in SHARES:
                    for by, model in models.items():
                        plan = plan_spending(MOST_SEEN, evaluations=MOST[int(dim)] * SPLIT // share, model=model)
                        wanted.setdefault((by, share, plan.settings, plan.examples), []).append(pair)
            parts += [self._plan(str(source), int(dim), *key, pairs) for key, pairs in wanted.items()]
        study = rows[(rows["plan"] == "gp-bo") & (rows["rule"] == HIGHEST) & (rows["size"] == SPLIT)]
        study = study[study["settings"] == study["dim"].map(MOST)].assign(share=0, by=BY_FIT)
        plans = self._made(parts)
        return pd.concat([study, plans[plans["rule"] == MEAN]], ignore_index=True)

    def untouched(self) -> pd.DataFrame:
        """Make what is missing of the study's protocol and of the plans that `tune` makes where nothing was chosen.

        That is on landscapes that are kept back and on sweeps recorded elsewhere; rows as `planned` gives them.
        """
        parts: list[Part] = []
        for source in (KEPT, SWEEPS) if self.sweep is not None else (KEPT,):
            every, what = self._source(source), self._content(source)
            for dim in sorted({one.dim for one in every}):
                plan = every_setting() if source == SWEEPS else WholeTrials("gp-bo", (MOST[dim],))
                job = Replay(source, dim, STUDY, plan, SPLIT, self._draws(source))
                file = f"{source}/study-{dim}d-{job.draws}-{what}-v{VERSION}.parquet"
                about: dict[str, int | str] = {"share": 0, "by": BY_TUNE}
                parts.append((f"{source}, {STUDY}", file, COLUMNS, partial(self._rows, job), about))
                wanted: dict[tuple[int, int, int], list[str]] = {}
                for one in every:
                    for share in SHARES if one.dim == dim else ():
                        seen = min(one.answers.shape[1] // 2, MOST_SEEN)
                        own = plan_spending(seen, dim=dim, evaluations=MOST[dim] * SPLIT // share)
                        wanted.setdefault((share, own.settings, own.examples), []).append(one.pair)
                parts += [self._plan(source, dim, BY_TUNE, *key, pairs, what) for key, pairs in wanted.items()]
        found = self._made(parts)
        return found[found["rule"] == found["share"].map(lambda share: MEAN if share else HIGHEST)]

    def honest(self) -> pd.DataFrame:
        """Make what is missing of honest scores beside the truth, on recorded answers and in worlds; all rows."""
        parts: list[Part] = []
        for source, examples in ((one, size) for one in HONEST for size in HONEST[one]):
            count = self.draws or (WORLDS if source == WORLDS_SOURCE else DRAWS[source])
            what = f"-{self._content(KEPT)}" if source == KEPT else ""
            file = f"honesty/{source}-{examples}-{count}{what}-v{VERSION}.parquet"
            make = partial(self._honest, source, examples, count)
            parts.append((f"{source}, {examples} examples", file, honesty.COLUMNS, make, {}))
        return self._made(parts)

    def stopped(self) -> pd.DataFrame:
        """Make what is missing of tunings that would have ended earlier; all rows."""
        parts: list[Part] = []
        for source, dim, examples, draws in STOPPED:
            count = self.draws or draws
            file = f"stopping/{source}-{dim}d-{examples}-{count}-v{STOPPING_VERSION}.parquet"
            make = partial(self._stopped, source, dim, examples, count)
            parts.append((f"{source}, {examples} examples", file, stopping.COLUMNS, make, {}))
        return self._made(parts)

    def begun(self) -> pd.DataFrame:
        """Make what is missing of tunings from points that were learnt on other pairs and domains; all rows."""
        parts: list[Part] = []
        for source, dim, examples, draws in BEGUN:
            count = self.draws or draws
            name = source if dim == 2 else f"{source}-{dim}d"
            file = f"experience/{name}-{examples}-{count}-v{VERSION}.parquet"
            make = partial(self._begun, source, dim, examples, count)
            word = f"{source}, first points from experience"
            parts.append((word, file, experience.COLUMNS, make, {"dim": dim}))
        return self._made(parts)

    def really(self) -> pd.DataFrame:
        """Make what is missing of studies in the real loop, by the plan and by the study's protocol; all rows."""
        every = [(pair, method, draw) for pair in self.pairs for method in real.METHODS
                 for draw in range(self.draws or real.DRAWS[method])]  # fmt: skip
        if not every:
            return pd.DataFrame(columns=list(real.COLUMNS))
        parts: list[Part] = []
        for pair, method, draw in every:
            file = f"real/{pair.name}-{method}-{draw}-v{real.VERSION}.parquet"
            make = partial(real.in_real_loop, pair, self.folder / "studies", method=method, draw=draw)
            parts.append((f"{pair.name}, {method}, in the real loop", file, real.COLUMNS, make, {}))
        return self._made(parts)

    def timed(self) -> pd.DataFrame:
        """What a proposal takes, measured on this machine unless that was done; all rows."""
        file = f"overhead/proposals-v{overhead.VERSION}.parquet"
        return self._made([("proposals, timed", file, overhead.COLUMNS, overhead.timed, {})])

    def _plan(
        self, source: str, dim: int, by: str, share: int, settings: int, examples: int, pairs: list[str], what: str = ""
    ) -> Part:
        """A plan on the pools of some pairs."""
        plan = WholeTrials("gp-bo", (settings,))
        job = Replay(source, dim, PLANNED, plan, examples, self._draws(source), tuple(pairs))
        names = hashlib.sha256(" ".join(pairs).encode()).hexdigest()[:8] + what
        file = f"{source}/{PLANNED}-{dim}d-{settings}-{examples}-{job.draws}-{names}-v{VERSION}.parquet"
        word = f"{source}, planned: {settings} settings, {examples} examples"
        return word, file, COLUMNS, partial(self._rows, job), {"share": share, "by": by}

    def _made(self, parts: Sequence[Part]) -> pd.DataFrame:
        """Rows of all parts, each from its file, which is made if it is not there."""
        frames = []
        for done, (word, file, columns, make, about) in enumerate(parts):
            self.told(done, len(parts), word)
            frames.append(self._kept(self.folder / file, columns, make).assign(**about))
        self.told(len(parts), len(parts), "done")
        return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)

    def _begun(self, source: str, dim: int, examples: int, draws: int) -> pd.DataFrame:
        """Settings are recorded by method, so that experience is of the same one."""
        by_method: dict[str, list[Pool]] = {}
        for one in self._source(source):
            if one.dim == dim:
                by_method.setdefault(one.method, []).append(one)
        parts = [experience.begun(pools, examples, draws=draws) for pools in by_method.values()]
        return pd.concat(parts, ignore_index=True)

    def _stopped(self, source: str, dim: int, examples: int, draws: int) -> pd.DataFrame:
        pools = [one for one in self._source(source) if one.dim == dim]
        return stopping.stopped(pools, examples, draws=draws, budget=MOST[dim])

    def _honest(self, source: str, examples: int, count: int) -> pd.DataFrame:
        if source == WORLDS_SOURCE:
            return honesty.in_worlds(count, examples)
        pools = [one for one in self._source(source) if one.dim == 2]
        word = honesty.KEPT_BACK if source == KEPT else honesty.RECORDED
        return honesty.on_pools(pools, examples, draws=count, source=word)

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

    def _draws(self, source: str) -> int:
        return self.draws or DRAWS[source]

    def _rows(self, job: Replay) -> pd.DataFrame:
        return job.rows(self._source(job.source))

    def _content(self, source: str) -> str:
        """A word for what is recorded in pools that may change under their names."""
        every = b"".join(one.name.encode() + one.worth.tobytes() for one in self._source(source))
        return hashlib.sha256(every).hexdigest()[:8]

    def _source(self, name: str) -> list[Pool]:
        if name not in self._pools:
            self._pools.clear()  # one at a time: they take a few hundred megabytes
            kinds = {
                DENSE: dense, SHIPPED: shipped, KEPT: kept_back,
                SWEEPS: lambda: sweeps(self.sweep or Path()),
            }  # fmt: skip
            self._pools[name] = list(kinds[name]())
        return self._pools[name]
