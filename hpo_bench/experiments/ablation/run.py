"""Runs arms on functions, without and with evaluation noise: the benchmark's own runs, on functions held out of it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark import runner
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.result import EARLY, SINCE, Benchmark
from hpo_bench.benchmark.searches import random_searches
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.display.progress import Progress
from hpo_bench.experiments.ablation.page import AblationRow, compare
from hpo_bench.workers import Workers
from landscapes.functions import Function
from optimizers.base import Optimizer

Array = NDArray[np.float64]


class HeldOut(Function):
    """A function that arms are told apart on.

    Every run of a suite has a seed of its own, whatever the suite, lest one lucky initial design count many times.

    Args:
        function: The function.
        first: Seed of its first run.
        share: Standard deviation of an evaluation, as a share of the function's spread.
    """

    def __init__(self, function: Function, *, first: int, share: float) -> None:
        super().__init__(
            function.suite, function.name, function.dim, function.f, function.f_max, function.f_min, function.gap
        )
        self._first, self._share = first, share

    @property
    def noise(self) -> float:
        """Standard deviation of an evaluation."""
        return self._share * self.spread

    @cached_property
    def content_hash(self) -> str:
        """Of the function and what seeds its runs; noise is part of the runs' keys."""
        return hashlib.sha256(f"{super().content_hash} held out, from {self._first}".encode()).hexdigest()

    def seed(self, repetition: int) -> int:
        """They are counted."""
        return self._first + repetition

    def noisily(self, seed: int) -> Callable[[Array], tuple[float, float]]:
        """See `Problem`."""
        rng, error = np.random.default_rng([seed, 7]), self.noise
        return lambda x: (float(self.score(x[None])[0] + error * rng.standard_normal()), error)

    def expected_regret(self, budget: int) -> Array:
        """What Random is expected to lose after 1 to `budget` evaluations: exactly, or with noise by simulation."""
        if not self._share:
            return self.random_regret(budget)
        rng = np.random.default_rng(0)
        return random_searches(self.regret_sample, budget, rng=rng, noise=self.noise / self.range).mean(axis=0)


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to optimise.

    Attributes:
        name: What the table calls it.
        kind: The optimiser.
        changes: What is otherwise than in the default, in words.
        start: Where its runs begin, as for `Plan`; the centre of the cube is knowledge about the box.
    """

    name: str
    kind: type[Optimizer]
    changes: str
    start: str = "own"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an arm did on the functions of a suite.

    Attributes:
        ratios: By function: regret divided by that of Random, averaged over seeds and over evaluations from the tenth.
            With noise the regret is that of what the optimiser recommends after the tenth, the twentieth and the last
            evaluation, and Random has the same noise and recommends its highest score.
        seconds: Processor time a suggestion.
    """

    ratios: Mapping[str, float]
    seconds: float


def run(
    arm: Arm,
    functions: Sequence[Function],
    *,
    seeds: int,
    share: float,
    folder: ResultsFolder,
    workers: Workers,
    progress: Progress,
) -> Outcome:
    """Makes what runs of an arm are missing, and says what came of all.

    Args:
        arm: The arm.
        functions: The functions, of equal dimension.
        seeds: Runs on each of them.
        share: Standard deviation of an evaluation, as a share of each function's spread.
        folder: Where runs are stored.
        workers: Who makes them.
        progress: Is told how far the work is.
    """
    problems = tuple(HeldOut(f, first=place * seeds, share=share) for place, f in enumerate(functions))
    plan = Plan(
        (Contender.find(arm.kind),), problems, seeds, budget=None, start=arm.start, noisy=bool(share), judged=EARLY
    )
    runner.run(plan, folder, workers=workers, progress=progress)
    finished, (contender,) = Benchmark.stored(plan, folder), plan.contenders
    ratios = {}
    for problem in problems:
        budget = plan.budget_of(problem)
        at = np.array([*EARLY, budget]) if share else np.arange(SINCE, budget + 1)
        own = np.take(finished.regret(problem.name, contender.identity), at - 1, axis=1).mean()
        ratios[problem.name] = float(own / problem.expected_regret(budget)[at - 1].mean())
    return Outcome(ratios, float(finished.runs["ask_seconds"].mean()))


def conduct(
    arms: Sequence[Arm],
    functions: Mapping[str, Sequence[Function]],
    *,
    shares: Sequence[float],
    seeds: int,
    folder: ResultsFolder,
    workers: Workers,
    progress: Progress,
) -> list[AblationRow]:
    """Runs every arm on every suite at every noise.

    Args:
        arms: The arms, the first of which is what the others are compared with.
        functions: Functions by suite.
        shares: Standard deviations of an evaluation, in spreads of a function; 0 for none.
        seeds: Runs of each arm on each function.
        folder: Where runs are stored; those that are there are not made again.
        workers: Who makes them.
        progress: Is told how far the work is.

    Returns:
        A row for each, in the order of the suites, noises and arms.
    """
    rows = []
    for suite, members in functions.items():
        for share in shares:
            outcomes = [
                run(arm, members, seeds=seeds, share=share, folder=folder, workers=workers, progress=progress)
                for arm in arms
            ]
            reference = list(outcomes[0].ratios.values())
            for arm, outcome in zip(arms, outcomes, strict=True):
                ratios = list(outcome.ratios.values())
                difference, factor = compare(ratios, reference)
                rows.append(
                    AblationRow(
                        suite=suite,
                        noise=share,
                        arm=arm.name,
                        changes=arm.changes,
                        functions=len(ratios),
                        mean=float(np.mean(ratios)),
                        median=float(np.median(ratios)),
                        difference=difference,
                        factor=factor,
                        better=int(np.sum(np.array(ratios) < np.array(reference))),
                        milliseconds=1e3 * outcome.seconds,
                    )
                )
    return rows
