"""What a study will take, from one timed trial."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hpo_bench.errors import TuningError
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.closing import REFERENCES
from hpo_bench.tuning.loop import advice
from hpo_bench.tuning.planning.spending import Prices
from hpo_bench.tuning.trial import Failure, Job, Run, TrialCost
from hpo_bench.tuning.workers.session import PairOpener, PairSession

TIMED = MergeSetting("ta", 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one trial took, and what that means for a study.

    Attributes:
        load_seconds: Loading the models, once a worker.
        cost: Of one merge and its answers to the validation examples of the split, once they are warmed up.
        validation: How many these are.
        test: How many other examples there are.
        memory: Peak bytes on the device, or of the process where that is the CPU.
        model_bytes: What an exported merge needs on disk.
    """

    load_seconds: float
    cost: TrialCost
    validation: int
    test: int
    memory: int
    model_bytes: int

    @property
    def total(self) -> int:
        """How many examples there are."""
        return self.validation + self.test

    def prices(self, hourly: float = 0.0) -> Prices:
        """What a merge and an example take.

        Args:
            hourly: Dollars an hour of a device.
        """
        return Prices.of(self.cost, self.validation, hourly=hourly)

    def hours(self, trials: int, examples: int, *, workers: int = 1) -> float:
        """Device-hours of a study: so many trials, and what there is without tuning, on so many examples each."""
        scored = self.prices().seconds(trials + len(REFERENCES), examples)
        return (workers * self.load_seconds + scored) / 3600

    def money(self, trials: int, examples: int, *, price: float, workers: int = 1) -> float:
        """Dollars of it; a judge's cache will make that less."""
        judged = self.prices().dollars(trials + len(REFERENCES), examples)
        return self.hours(trials, examples, workers=workers) * price + judged


def forecast(pair: Pair, opener: PairOpener, device: str) -> tuple[PairSession, Forecast]:
    """Load a pair and time a trial; what is loaded, and what that tells.

    Raises:
        UsageError: If the evaluation cannot be opened.
        MergeError: If the pair cannot be loaded.
        TuningError: If the trial fails.
    """
    begin = time.perf_counter()
    session = opener(device)
    loaded = time.perf_counter() - begin
    cost = timed(session.run, Job("a timed trial", TIMED))
    facts = session.facts()
    found = Forecast(
        load_seconds=loaded,
        cost=cost,
        validation=facts["validation"],
        test=facts["test"],
        memory=peak_memory(device),
        model_bytes=_size(pair.vlm),
    )
    return session, found


def timed(run: Run, job: Job) -> TrialCost:
    """What a trial takes when it is not the first: compiling and warming up are not counted.

    Args:
        run: Does a job; called twice.
        job: The trial.

    Returns:
        Seconds of the second time, and dollars of the first: a judge charges nothing for the same answers again.

    Raises:
        TuningError: If the trial fails.
    """
    costs = []
    for _ in range(2):
        result = run(job)
        if isinstance(result, Failure):
            told = f"{job.name} fails ({result.kind}): {result.reason}; {advice(result.kind)}"
            raise TuningError(f"{told}; nothing was begun")
        costs.append(result.cost)
    return replace(costs[1], dollars=costs[0].dollars)


def peak_memory(device: str) -> int:
    """Bytes that were used at most: of the device, or where that is the CPU by this process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource
    import sys

    # Kilobytes, but bytes on a Mac.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
