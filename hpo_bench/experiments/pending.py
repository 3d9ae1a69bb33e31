"""What to make of points that other workers are still evaluating: our way beside BoTorch's, measured.

`python -m hpo_bench.experiments.pending` writes the page.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.models import SingleTaskGP
from botorch.sampling import SobolQMCNormalSampler
from numpy.typing import NDArray
from torch import Tensor

from hpo_bench.display.printing import say
from hpo_bench.display.table import Row, TextTable
from hpo_bench.experiments.ablation.run import HeldOut
from hpo_bench.experiments.page import Part, save_page
from hpo_bench.statistics.intervals import Interval, of_mean
from hpo_bench.workers import one_thread
from landscapes import catalogue
from landscapes.functions import suite
from landscapes.problem import Problem
from optimizers.gp.acquisition import Draws, maximise
from optimizers.gp.model import Model
from optimizers.gp.posterior import Hyperparameters, Posterior
from optimizers.gp_bo import GpBo, Knowledge

Array = NDArray[np.float64]

PAGE = Path("docs/pending.md")
WORKERS = (2, 4, 8)
BUDGET = 24
"""Of each run: as many as plans have, and three rounds of eight workers."""
SINCE = 8
"""Regrets are averaged from so many results on."""
SAMPLES = 128
"""Of a joint posterior."""
FUNCTIONS = 8
"""Synthetic surfaces in two dimensions."""
NOISY_SEEDS, APART = 3, 100
"""Runs on each function with noise, which is how trials are; and how far their seeds are apart."""
SUITE_SEED = 300
"""Functions that nothing was chosen on."""
SHARE = 0.1
"""Noise of functions, in their spreads."""


class Joint(GpBo):
    """Pending points as BoTorch has them: their scores are drawn from the joint posterior, with those of the new point.

    Hyperparameters, incumbent and search for the maximum are GP-BO's.
    """

    @classmethod
    def _search(cls, optimizers: Sequence[GpBo], known: Knowledge, kernel: Hyperparameters) -> Tensor:
        if not known.others.shape[1]:
            return super()._search(optimizers, known, kernel)
        (optimizer,) = optimizers
        posterior = Posterior.fit(known.X, known.y, known.noise, kernel)
        incumbent, index = cls._worth(posterior, known).max(1)
        model = Model(posterior, known.y, known.noise, 0.0, 1.0, cls.priors).botorch()
        seed = int(optimizer._generator(2, optimizer.asked).integers(2**31))
        sampler = SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed)
        value = cls._joint(model, sampler, known.X[0], float(incumbent), known.others[0])
        draws = Draws.of([optimizer._generator(1, optimizer.asked)], optimizer.dim, cls.effort)
        return maximise(lambda X: value(X[0][:, None])[None], known.X[[0], index], draws)

    @classmethod
    def _joint(
        cls, model: SingleTaskGP, sampler: SobolQMCNormalSampler, X: Tensor, incumbent: float, pending: Tensor
    ) -> qLogExpectedImprovement | qLogNoisyExpectedImprovement:
        return qLogExpectedImprovement(model, best_f=incumbent, sampler=sampler, X_pending=pending)


class NoisyJoint(Joint):
    """The same, on what the best of the known points may be worth instead of on what it is believed to be."""

    @classmethod
    def _joint(
        cls, model: SingleTaskGP, sampler: SobolQMCNormalSampler, X: Tensor, incumbent: float, pending: Tensor
    ) -> qLogExpectedImprovement | qLogNoisyExpectedImprovement:
        return qLogNoisyExpectedImprovement(
            model, X_baseline=X, sampler=sampler, X_pending=pending, prune_baseline=True
        )


@dataclass(frozen=True, slots=True)
class Proposer:
    """A way to deal with pending points."""

    name: str
    kind: type[GpBo]


OURS, JOINT, NOISY_JOINT = Proposer("believer", GpBo), Proposer("qLogEI", Joint), Proposer("qLogNEI", NoisyJoint)


@dataclass(frozen=True, slots=True)
class PendingRace:
    """One run of an arm with several workers.

    Attributes:
        regret: Normalised regret of what was recommended, of shape (BUDGET - SINCE + 1,), from `SINCE` results on.
        seconds: Processor time a proposal beside pending points.
    """

    regret: Array
    seconds: float


def race(kind: type[GpBo], problem: Problem, *, workers: int, noisy: bool, seed: int = 0) -> PendingRace:
    """Keeps so many workers busy; whose result comes next is drawn, alike for all arms.

    Args:
        kind: The arm.
        problem: What is maximised.
        workers: How many points are evaluated at once.
        noisy: Whether evaluations have the problem's noise, whose size is told.
        seed: Which repetition.
    """
    optimizer = kind(problem.space.dim, seed=problem.seed(seed), budget=BUDGET)
    evaluate, next_done = problem.noisily(problem.seed(seed)), np.random.default_rng([problem.seed(seed), workers])
    found, spent = [], []
    while len(optimizer.history[1]) < BUDGET:
        while len(optimizer.pending) < workers and optimizer.asked < BUDGET:
            begun, beside = time.process_time(), len(optimizer.pending)
            optimizer.ask()
            if beside and len(optimizer.history[1]) >= optimizer.initial:
                spent.append(time.process_time() - begun)
        x = optimizer.pending[int(next_done.integers(len(optimizer.pending)))]
        at = problem.space.from_unit(x[None])[0]
        score, error = evaluate(at) if noisy else (float(problem.score(at[None])[0]), None)
        optimizer.tell(x, score, standard_error=error)
        if len(optimizer.history[1]) >= SINCE:
            best = problem.space.from_unit(optimizer.recommend()[None])
            found.append(float(problem.regret(problem.score(best))[0]))
    return PendingRace(np.array(found), sum(spent) / max(len(spent), 1))


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems that are looked at together.

    Attributes:
        name: What the table calls them.
        problems: Theirs.
        noisy: Whether evaluations have noise.
        seeds: Runs on each.
    """

    name: str
    problems: Sequence[Problem]
    noisy: bool
    seeds: int = 1

    @property
    def arms(self) -> tuple[Proposer, Proposer]:
        """Ours, and BoTorch's for such evaluations."""
        return OURS, NOISY_JOINT if self.noisy else JOINT


def groups(*, functions: int = FUNCTIONS) -> list[ProblemGroup]:
    """Functions without noise and with it, and the landscapes of Task Arithmetic with their own.

    Args:
        functions: How many.
    """
    drawn = suite("merge-like-2d", SUITE_SEED, count=functions)
    made = [HeldOut(function, first=place, share=SHARE) for place, function in enumerate(drawn)]
    recorded = [catalogue.load(name) for name in catalogue.match(["ta"])]
    return [
        ProblemGroup("functions", made, noisy=False),
        ProblemGroup("functions, noisy", made, noisy=True, seeds=NOISY_SEEDS),
        ProblemGroup("landscapes, noisy", recorded, noisy=True),
    ]


Races = Mapping[tuple[str, int, str], Sequence[PendingRace]]
"""By group, number of workers and arm: one a problem, the mean over seeds."""


def measure(among: Sequence[ProblemGroup], *, workers: Sequence[int] = WORKERS) -> Races:
    """Runs every arm on every problem."""
    found: dict[tuple[str, int, str], list[PendingRace]] = {}
    with one_thread():
        for group in among:
            for number, problem in enumerate(group.problems, 1):
                say(f"{group.name}: {number} of {len(group.problems)}", err=True)
                for count in workers:
                    for arm in group.arms:
                        runs = [
                            race(arm.kind, problem, workers=count, noisy=group.noisy, seed=APART * place)
                            for place in range(group.seeds)
                        ]
                        found.setdefault((group.name, count, arm.name), []).append(mean(runs))
    return found


def mean(races: Sequence[PendingRace]) -> PendingRace:
    """The same over several seeds."""
    return PendingRace(np.mean([one.regret for one in races], axis=0), float(np.mean([one.seconds for one in races])))


def table(found: Races) -> TextTable:
    """Regret over results, and how it differs from ours, paired over problems."""
    rows, before, shown = [], None, (SINCE, (SINCE + BUDGET) // 2, BUDGET)
    for (group, workers, arm), races in found.items():
        regrets = np.array([one.regret for one in races])
        cells = [str(workers), arm, *(f"{100 * regrets[:, t - SINCE].mean():.2f}" for t in shown)]
        cells += [f"{100 * regrets.mean():.2f}", "" if arm == OURS.name else _difference(found, group, workers, arm)]
        cells.append(f"{1e3 * np.mean([one.seconds for one in races]):.0f}")
        rows.append(Row(group, tuple(cells), apart=before != (group, workers)))
        before = group, workers
    heads = ("problems", "workers", "way", *(f"t = {t}" for t in shown), "mean", "more than ours", "ms")
    return TextTable(heads, tuple(rows), words=3)


def overall(found: Races, group: str) -> Interval:
    """How much more mean regret BoTorch's way has than ours, in percent of the range, over all numbers of workers.

    Args:
        found: The races.
        group: Name of a group, whose problems are the unit.
    """
    gaps = [
        [
            own.regret.mean() - ours.regret.mean()
            for own, ours in zip(races, found[name, workers, OURS.name], strict=True)
        ]
        for (name, workers, arm), races in found.items()
        if name == group and arm != OURS.name
    ]
    return of_mean(100 * np.mean(gaps, axis=0))


def _difference(found: Races, group: str, workers: int, arm: str) -> str:
    own, other = (np.array([one.regret.mean() for one in found[group, workers, name]]) for name in (arm, OURS.name))
    gap = of_mean(100 * (own - other))
    return f"{gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}]"


def page(found: Races) -> list[Part]:
    """The page."""
    gaps = {group: overall(found, group) for group in dict.fromkeys(group for group, *_ in found)}
    told = "; ".join(f"{group} {gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}]" for group, gap in gaps.items())
    times: dict[str, list[float]] = {}
    for (*_, arm), races in found.items():
        times.setdefault(arm, []).extend(one.seconds for one in races)
    costs = ", ".join(f"{1e3 * np.mean(own):.0f} ms by {arm}" for arm, own in times.items())
    return [
        ABOUT.strip(),
        f"By how much BoTorch's way has more mean regret than ours, over all numbers of workers: {told}. A proposal "
        f"takes {costs} of a busy processor.",
        table(found),
        AFTER.strip(),
    ]


ABOUT = f"""
# Points that other workers are still evaluating

Made by `python -m hpo_bench.experiments.pending`. With several workers GP-BO proposes while the scores of other points
are not in yet. It counts these as if they had come out as the model expects (the Kriging believer of Ginsbourger, Le
Riche & Carraro, 2010). BoTorch draws what they may turn out to be from the joint posterior, together with the score of
the new point: `qLogExpectedImprovement` where evaluations have no noise, `qLogNoisyExpectedImprovement` where they do,
both with `X_pending` and {SAMPLES} samples.

Both ways have the same models (`optimizer.model`), the same initial design and the same search for the maximum.
{BUDGET} evaluations are made by 2, 4 and 8 workers that are always busy; whose result comes next is drawn, alike for
both ways.
Problems are {FUNCTIONS} synthetic merge-like surfaces in two dimensions that nothing was chosen on, without noise (one
seed) and with a tenth of their spread ({NOISY_SEEDS} seeds), and the recorded landscapes of Task Arithmetic with their
own noise (one seed), which are looked at and decide nothing. Regret is that of what the optimiser recommends after t
results, in hundredths of the range from worst to best; the mean is over t from {SINCE} on. Intervals are 95%, paired
over problems.
"""
AFTER = """
So GP-BO keeps its own way. Over all numbers of workers no difference is shown, on functions or on landscapes, and
BoTorch's way takes five to eight times as long, more than the 50 ms that a proposal may take; a search under a
constraint believes as well, so that there is one way. The doubt that is left: on noisy functions BoTorch's may be
better with four workers and more, where the believer settles too soon (one of three such intervals leaves out 0). Where
nothing is pending both ways are one.

## Constraints and fronts

Under a constraint (`--keep`) what is maximised has the values of BoTorch's `LogConstrainedExpectedImprovement` on the
same two models, which a test holds it to; its evaluations take a seventh of the time (`optimizers/gp/constraint.py`).
The front of two goals (`--front`) is searched by BoTorch's own `qNoisyExpectedHypervolumeImprovement`, pending points
included (`optimizers/pareto_bo.py`).
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure two ways to deal with pending points, and write the page.")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    save_page(parser.parse_args().page, page(measure(groups())))
