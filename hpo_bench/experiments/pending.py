"""What to make of points that other workers are still evaluating: BoTorch's way beside the Kriging believer."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hpo_bench.display.steps import Told
from hpo_bench.display.table import Row, TextTable
from hpo_bench.errors import ResultsError
from hpo_bench.experiments.ablation.run import HeldOut
from hpo_bench.experiments.page import Part
from hpo_bench.files import read_record, write_record
from hpo_bench.statistics.intervals import Interval, of_mean
from hpo_bench.workers import one_thread
from landscapes import catalogue
from landscapes.functions import suite
from landscapes.functions.function import NOISE
from landscapes.problem import Problem
from optimizers.gp.acquisition import Draws
from optimizers.gp.knowledge import Knowledge
from optimizers.gp.posterior import Hyperparameters, Posterior
from optimizers.gp_bo import SAMPLES, GpBo

PAGE = "pending.md"
WORKERS = (2, 4, 8)
SINCE = 8
"""Regrets are averaged from so many results on."""
BUDGETS = {2: 24, 3: 36}
"""Evaluations of each run, by dimension: three rounds of eight workers, and in three dimensions half as many more."""
FUNCTIONS = {2: 24, 3: 12}
"""Synthetic surfaces, by dimension."""
SUITE_SEED = 400
"""Functions that nothing was chosen on."""
DECIDE = "functions"
"""How the groups are called that decide; landscapes are looked at."""


class Believer(GpBo):
    """Pending points count as if their score had come out at its posterior mean.

    The Kriging believer of Ginsbourger, Le Riche & Carraro (2010). A pending point that is believed to be the best
    leaves nothing to gain beside it.
    """

    @classmethod
    def _search(cls, optimizers: Sequence[GpBo], known: Knowledge, kernel: Hyperparameters) -> Tensor:
        if not optimizers[0].pending:
            return super()._search(optimizers, known, kernel)
        pending = torch.from_numpy(np.array([optimizer.pending for optimizer in optimizers]))
        posterior = Posterior.fit(known.X, known.y, known.noise, kernel)
        best, index = cls._worth(posterior, known).max(1)
        believed, _ = posterior.predict(pending)
        posterior = Posterior.fit(
            torch.cat((known.X, pending), 1),
            torch.cat((known.y, believed), 1),
            torch.cat((known.noise, torch.zeros_like(believed)), 1),
            kernel,
        )
        acquisition = cls._acquisition(optimizers, posterior, torch.maximum(best, believed.amax(1)))
        draws = Draws.of([o._generator(1, o.asked) for o in optimizers], optimizers[0].dim, cls.effort)
        return cls._maximise(acquisition, known.X[torch.arange(len(optimizers)), index], draws)


BELIEVER, BOTORCH = "believer", "qLogNEI"
WAYS: Mapping[str, type[GpBo]] = {BELIEVER: Believer, BOTORCH: GpBo}


@dataclass(frozen=True, slots=True)
class PendingRace:
    """A run on a problem, one way, with several workers.

    Attributes:
        workers: How many points are evaluated at once.
        way: One of `WAYS`.
        regret: Normalised regret of what was recommended, from `SINCE` results on.
        seconds: Processor time a proposal beside pending points.
    """

    workers: int
    way: str
    regret: tuple[float, ...]
    seconds: float

    @property
    def mean(self) -> float:
        """Regret, averaged over results."""
        return float(np.mean(self.regret))


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems that are looked at together.

    Attributes:
        name: What the table calls them.
        problems: Theirs.
    """

    name: str
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file of races holds: of what, and the races."""

    of: str
    races: tuple[PendingRace, ...]


Races = Mapping[str, Sequence[Sequence[PendingRace]]]
"""By group, problem by problem."""


def groups(*, functions: Mapping[int, int] = FUNCTIONS) -> list[ProblemGroup]:
    """Functions with noise, and the landscapes of Task Arithmetic with their own.

    Args:
        functions: How many, by dimension.
    """
    drawn = {dim: suite(f"merge-like-{dim}d", SUITE_SEED, count=count) for dim, count in functions.items()}
    made = {
        dim: [HeldOut(function, first=place, share=NOISE) for place, function in enumerate(own)]
        for dim, own in drawn.items()
    }
    recorded = [catalogue.load(name) for name in catalogue.match(["ta"])]
    return [
        *(ProblemGroup(f"{DECIDE}, {dim}-D", own) for dim, own in made.items()),
        ProblemGroup("landscapes, 2-D", recorded),
    ]


def race(way: str, problem: Problem, *, workers: int) -> PendingRace:
    """Keeps so many workers busy; whose result comes next is drawn, alike for both ways.

    Args:
        way: One of `WAYS`.
        problem: What is maximised.
        workers: How many points are evaluated at once, with the problem's noise, whose size is told.
    """
    seed, budget = problem.seed(0), BUDGETS[problem.space.dim]
    optimizer = WAYS[way](problem.space.dim, seed=seed, budget=budget)
    evaluate, next_done = problem.noisily(seed), np.random.default_rng([seed, workers])
    found, spent = [], []
    while len(optimizer.history[1]) < budget:
        while len(optimizer.pending) < workers and optimizer.asked < budget:
            begun, beside = time.process_time(), len(optimizer.pending)
            optimizer.ask()
            if beside and len(optimizer.history[1]) >= optimizer.initial:
                spent.append(time.process_time() - begun)
        x = optimizer.pending[int(next_done.integers(len(optimizer.pending)))]
        at = problem.space.from_unit(x[None])[0]
        score, error = evaluate(at)
        optimizer.tell(x, score, standard_error=error)
        if len(optimizer.history[1]) >= SINCE:
            best = problem.space.from_unit(optimizer.recommend()[None])
            found.append(float(problem.regret(problem.score(best))[0]))
    return PendingRace(workers, way, tuple(found), sum(spent) / max(len(spent), 1))


def measure(among: Sequence[ProblemGroup], folder: Path, *, progress: Told = lambda *_: None) -> Races:
    """Races both ways on every problem, or reads what was raced before.

    Args:
        among: The problems.
        folder: Where races are kept, one JSON file a problem.
        progress: Told of every problem.

    Raises:
        ResultsError: If a file of races is broken, or cannot be written.
    """
    found: dict[str, list[Sequence[PendingRace]]] = {}
    done, total = 0, sum(len(group.problems) for group in among)
    with one_thread():
        for group in among:
            for problem in group.problems:
                found.setdefault(group.name, []).append(_read_or_race(problem, folder))
                done += 1
                progress(done, total, problem.name)
    return found


def _read_or_race(problem: Problem, folder: Path) -> Sequence[PendingRace]:
    facts = [problem.content_hash, GpBo.version, BUDGETS, SINCE, SAMPLES, WORKERS]
    of = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    path = folder / f"{problem.name.replace('/', '_')}.json"
    if path.exists():
        kept = read_record(path, _Kept, wrong=ResultsError, cure="delete it to race again")
        if kept.of == of:
            return kept.races
    races = tuple(race(way, problem, workers=workers) for workers in WORKERS for way in WAYS)
    write_record(path, _Kept(of, races))
    return races


def table(found: Races) -> TextTable:
    """Regret over results, and how it differs from the believer's, paired over problems."""
    rows = []
    for name, problems in found.items():
        for place, first in enumerate(problems[0]):
            own = [races[place] for races in problems]
            regrets = 100 * np.mean([one.regret for one in own], axis=0)
            shown = (regrets[0], regrets[len(regrets) // 2], regrets[-1], regrets.mean())
            gap = _shown(of_gaps(problems, first.workers)) if first.way == BOTORCH else ""
            milliseconds = 1e3 * np.mean([one.seconds for one in own])
            cells = (str(first.workers), first.way, *(f"{one:.2f}" for one in shown), gap, f"{milliseconds:.0f}")
            rows.append(Row(f"{name} ({len(problems)})", cells, apart=first.way == BELIEVER))
    heads = ("problems", "workers", "way", f"t = {SINCE}", "half way", "at the end", "mean", "BoTorch's more", "ms")
    return TextTable(heads, tuple(rows), words=3)


def of_gaps(problems: Sequence[Sequence[PendingRace]], workers: int | None = None) -> Interval:
    """How much more mean regret BoTorch's way has than the believer, in percent of the range; problems are the unit.

    Args:
        problems: Races, problem by problem.
        workers: With so many; by default over all numbers of them.
    """
    sign = {BOTORCH: 1.0, BELIEVER: -1.0}
    chosen = [[one for one in races if workers in (None, one.workers)] for races in problems]
    return of_mean([200 * float(np.mean([sign[one.way] * one.mean for one in races])) for races in chosen])


def _shown(gap: Interval) -> str:
    return f"{gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}]"


def page(found: Races) -> list[Part]:
    """The page."""
    pooled: dict[str, list[Sequence[PendingRace]]] = {}
    for name, problems in found.items():
        pooled.setdefault(name.rpartition(", ")[0], []).extend(problems)
    gaps = {name: of_gaps(problems) for name, problems in pooled.items()}
    ended = "goes" if gaps[DECIDE].low > 0 else "stays"
    told = "; ".join(f"{name} ({len(pooled[name])}) {_shown(gap)}" for name, gap in gaps.items())
    every = [one for own in found.values() for races in own for one in races]
    costs = ", ".join(
        f"{1e3 * np.mean([one.seconds for one in every if one.way == way]):.0f} ms by {way}" for way in WAYS
    )
    return [
        ABOUT.strip(),
        f"By how much BoTorch's way has more mean regret than the believer, over all numbers of workers: {told}. By "
        f"the rule it {ended}. A proposal takes {costs} of a busy processor.",
        table(found),
        AFTER.strip(),
    ]


ABOUT = f"""
# Points that other workers are still evaluating

Made by `hpo-bench pending`. With several workers GP-BO proposes while the scores of other points are not in yet. As
BoTorch does, it draws from the joint posterior what they, the known points and the new one may be worth, and maximises
the expected improvement on the best of the others: `qLogNoisyExpectedImprovement` with `X_pending` and {SAMPLES}
samples. Its rival is the Kriging believer (Ginsbourger, Le Riche & Carraro, 2010), which counts pending points as if
they had come out as the model expects.

The rule, fixed before anything was run: BoTorch's way stays unless its mean regret on functions, over all numbers of
workers, is higher with an interval that leaves out 0. Nothing was run without noise, as every trial has some.

Both ways have the same models, the same initial design and the same search for the maximum; where nothing is pending
they are one. {BUDGETS[2]} evaluations ({BUDGETS[3]} in three dimensions) are made by 2, 4 and 8 workers that are
always busy; whose result comes next is drawn, alike for both ways. Problems are {FUNCTIONS[2]} synthetic merge-like
surfaces in two dimensions and {FUNCTIONS[3]} in three that nothing was chosen on, with noise of a tenth of their
spread, and the recorded landscapes of Task Arithmetic with their own, which are looked at and decide nothing; each has
a seed of its own. Regret is that of what the optimiser recommends after t results, in hundredths of the range from
worst to best; the mean is over t from {SINCE} on. Intervals are 95%, paired over problems.
"""
AFTER = """
## Constraints and fronts

Under a constraint (`--keep`) what is maximised has the values of BoTorch's `LogConstrainedExpectedImprovement` on the
same two models, which a test holds it to; its evaluations take a seventh of the time (`optimizers/gp/constraint.py`).
Beside pending points it is `qLogNoisyExpectedImprovement` with the constraint (`optimizers/gp/sampled.py`). The front
of two goals (`--front`) is searched by BoTorch's own `qNoisyExpectedHypervolumeImprovement`, pending points included
(`optimizers/pareto_bo.py`).
"""
