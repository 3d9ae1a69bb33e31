"""GP-BO and a peer on the runs that both made, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark import runner
from hpo_bench.benchmark.result import REFERENCE, Benchmark, Moment
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.display.progress import Progress
from hpo_bench.experiments.peers.lineup import Stage
from hpo_bench.statistics.comparisons import Comparison, holm
from hpo_bench.statistics.intervals import Interval
from hpo_bench.statistics.ratios import Summary, over_random, ratio_of_means
from hpo_bench.workers import Workers
from landscapes.problem import Problem

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Meeting:
    """A peer and GP-BO on the same problems with the same seeds, starts and noise.

    Attributes:
        peer: Identity of the peer.
        finished: The runs of the two.
        planned: Problems that the peer was to run on; the others are not finished.
    """

    peer: str
    finished: Benchmark
    planned: int

    @property
    def label(self) -> str:
        """What tables call the peer."""
        return self.finished.labels[self.peer]

    @property
    def runs(self) -> str:
        """On how much it rests, as "30 × 10": problems times seeds; "12 of 30 × 1" while not all are finished."""
        plan = self.finished.plan
        made = len(plan.landscapes)
        return f"{made if made == self.planned else f'{made} of {self.planned}'} × {plan.seeds}"

    @cached_property
    def seconds(self) -> tuple[float, float]:
        """Processor seconds a suggestion of the peer and of GP-BO, which advances in groups."""
        runs = self.finished.runs
        peer, own = (runs.loc[runs["optimizer"] == who, "ask_seconds"].mean() for who in (self.peer, REFERENCE))
        return float(peer), float(own)

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """GP-BO against the peer at each checkpoint, p as if there were no other peer."""
        return {point.name: own for point in self.finished.checkpoints for own in self.finished.comparisons(point)}

    def at(self, point: str) -> Moment:
        """The checkpoint of that name."""
        return next(one for one in self.finished.checkpoints if one.name == point)

    def figure(self, who: str, point: Moment, summary: Summary) -> Interval:
        """A ratio to Random over all problems of the meeting."""
        return self.finished.intervals.of(summary, point.regret[who], point.random)

    def curve(self, who: str, until: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Ratio of means after 1, 2, ... evaluations, and the ends of its 95% interval, each of shape (until,)."""
        finished = self.finished
        regret = np.stack([finished.regret(one.name, who)[:, :until] for one in finished.landscapes])
        random = np.stack([curve[:until] for curve in finished.random_curves])
        low, high = finished.intervals.curve(ratio_of_means, regret, random, np.arange(len(regret)))
        return over_random(regret.mean(axis=1).sum(axis=0), random.sum(axis=0)), low, high


def run(
    stage: Stage, problems: Sequence[Problem], folder: ResultsFolder, *, workers: Workers, progress: Progress
) -> None:
    """Make what runs of a stage are missing, those of each peer beside GP-BO's.

    Raises:
        HpoBenchError: If a package is missing or an optimiser fails; finished runs are stored.
    """
    for entry in stage.entries:
        runner.run(stage.plan(entry, problems), folder, workers=workers, progress=progress)


@dataclass(frozen=True, eq=False)
class Round:
    """A stage as far as it was played.

    Attributes:
        stage: The stage.
        meetings: GP-BO with each peer that has runs.
    """

    stage: Stage
    meetings: tuple[Meeting, ...]

    @cached_property
    def verdicts(self) -> dict[str, list[Comparison]]:
        """GP-BO against the peer of each meeting, by checkpoint; positive differences are in favour of GP-BO.

        Holm's adjustment is for the peers of the stage.
        """
        return {
            point: holm([one.comparisons[point] for one in self.meetings]) for point in self.meetings[0].comparisons
        }


def played(stage: Stage, problems: Sequence[Problem], folder: ResultsFolder) -> Round:
    """What was played of a stage, as far as runs are stored: on problems where both made all theirs.

    Raises:
        UsageError: If a package is missing.
        ResultsError: If the store is corrupt.
    """
    stored = folder.keys()
    found = []
    for entry in stage.entries:
        whole = stage.plan(entry, problems)
        missing = {run.landscape for run in whole.runs() if run.key not in stored}
        if done := [one for one in whole.landscapes if one.name not in missing]:
            finished = Benchmark.stored(replace(whole, landscapes=tuple(done)), folder)
            found.append(Meeting(entry.peer, finished, len(whole.landscapes)))
    return Round(stage, tuple(found))
