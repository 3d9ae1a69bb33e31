"""The whole comparison: which runs there are, making those that are missing, and what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark import runner
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.result import EARLY, END, Benchmark, moments_of
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.display.progress import Progress
from hpo_bench.experiments.ranking.guises import NOISE, REAL, WithNoise, under
from hpo_bench.statistics.agreement import Agreement, agree
from hpo_bench.workers import Workers
from landscapes.landscape import Landscape
from landscapes.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Optimisers ranked under every guise.

    Attributes:
        landscapes: The landscapes, under the surrogate to which noise is added.
        plans: What is run under each guise, on the landscapes in that order; the first is the reference if nothing is
            real.
        folder: Where runs are stored.
    """

    landscapes: tuple[Landscape, ...]
    plans: Mapping[str, Plan]
    folder: ResultsFolder

    @classmethod
    def of(
        cls,
        contenders: Sequence[Contender],
        landscapes: Sequence[Landscape],
        kinds: Sequence[str],
        folder: Path,
        *,
        seeds: int,
        budget: int | None,
        pairs: Path,
    ) -> Self:
        """What is to be compared.

        Args:
            contenders: The optimisers.
            landscapes: The landscapes.
            kinds: Guises: names of surrogates, noise, real.
            folder: Where runs and real evaluations are stored.
            seeds: Runs of each optimiser.
            budget: Evaluations of each run; None for the study's, by dimension.
            pairs: Where built pairs lie; only for real.

        Raises:
            InvalidGridError: If outcomes that noise needs were not recorded.
            UsageError: If a pair is not built.
        """

        def guise(landscape: Landscape, kind: str) -> Problem:
            if kind == NOISE:
                return WithNoise(landscape)
            if kind == REAL:
                from hpo_bench.experiments.ranking.real import ForReal  # Loads torch and transformers.
                from hpo_bench.merging.find import find_pair

                return ForReal(landscape, find_pair(landscape.card.pair, pairs), folder / "evaluations")
            return under(landscape, kind)

        def plan(kind: str) -> Plan:
            problems = tuple(guise(landscape, kind) for landscape in landscapes)
            return Plan(tuple(contenders), problems, seeds, budget, noisy=kind == NOISE, judged=EARLY)

        # Cheap ones are run first, so that something can be looked at soon.
        return cls(tuple(landscapes), {kind: plan(kind) for kind in kinds}, ResultsFolder(folder / "runs"))

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The optimisers."""
        return self.plans[self.reference].contenders

    @property
    def seeds(self) -> int:
        """Runs of each optimiser on each landscape in each guise."""
        return self.plans[self.reference].seeds

    @property
    def total(self) -> int:
        """How many runs there are."""
        return sum(len(plan.contenders) * len(plan.landscapes) * plan.seeds for plan in self.plans.values())

    def run(self, *, workers: Workers, progress: Progress) -> int:
        """Make the runs that are not stored yet; safe to interrupt.

        Args:
            workers: Who makes them.
            progress: Is told how far the work is.

        Returns:
            How many were made.

        Raises:
            HpoBenchError: If a pair is not the one that was recorded, an optimiser fails, or workers are killed again
                and again.
        """
        for landscape in self.landscapes:
            _ = landscape.weaknesses  # reads what was held out, which the page needs: before the work if it is damaged
        order = sorted(self.plans.items(), key=lambda item: item[0] == REAL)
        return sum(runner.run(plan, self.folder, workers=workers, progress=progress) for _, plan in order)

    @cached_property
    def finished(self) -> dict[str, Benchmark]:
        """The runs under each guise.

        Regrets are in [0, 1] of the range of the surrogate; for real merges of the range between the worst that was
        recorded and the best that was recorded or reached by any optimiser, because nobody knows the real maximum. A
        first draw that is worse than all that was recorded counts as more than 1.

        Raises:
            ResultsError: If runs are missing, or what is stored is damaged.
        """
        found = {kind: Benchmark.stored(plan, self.folder) for kind, plan in self.plans.items()}
        if REAL in found:
            from hpo_bench.experiments.ranking.real import ForReal

            reached, plan = found[REAL].runs.groupby("landscape")["score"].max(), self.plans[REAL]
            problems = (
                one.reaching(float(reached[one.name])) if isinstance(one, ForReal) else one for one in plan.landscapes
            )
            found[REAL] = Benchmark.stored(replace(plan, landscapes=tuple(problems)), self.folder)
        return found

    def at(self, kind: str, point: str) -> Mapping[str, Array]:
        """Regrets under a guise at a checkpoint, of shape (landscapes, seeds) for each optimiser."""
        return self.finished[kind].regrets.at(None if point == END else int(point))

    def only(self, landscapes: Sequence[Landscape]) -> "Ranking":
        """The same of some of the landscapes, from the same stored runs."""
        names = {landscape.name for landscape in landscapes}
        plans = {
            kind: replace(plan, landscapes=tuple(one for one in plan.landscapes if one.name in names))
            for kind, plan in self.plans.items()
        }
        return Ranking(tuple(landscapes), plans, self.folder)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The guises."""
        return tuple(self.plans)

    @property
    def reference(self) -> str:
        """What the others are compared with: real merges if there are any."""
        return REAL if REAL in self.plans else self.kinds[0]

    @cached_property
    def agreements(self) -> dict[str, dict[str, Agreement]]:
        """For each guise and checkpoint how far its ranking agrees with the reference's."""
        pairs = [landscape.card.pair for landscape in self.landscapes]
        return {
            kind: {
                point: agree(self.at(kind, point), self.at(self.reference, point), pairs=pairs) for point in self.points
            }
            for kind in self.kinds
        }

    @property
    def points(self) -> list[str]:
        """Checkpoints: those below the smallest budget, and the end."""
        plan = self.plans[self.reference]
        budgets = np.array([plan.budget_of(landscape) for landscape in plan.landscapes])
        return [END if t is None else str(t) for t in moments_of(budgets)]
