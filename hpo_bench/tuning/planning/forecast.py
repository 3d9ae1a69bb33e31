"""What a study will take, from one timed trial."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from hpo_bench.errors import TuningError
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.goal import check_examples
from hpo_bench.tuning.loop import advice
from hpo_bench.tuning.outcome.result import REFERENCES
from hpo_bench.tuning.planning.spending import Spending, plan_spending
from hpo_bench.tuning.trial import Failure, Job
from hpo_bench.tuning.workers.session import Opener

TIMED = MergeSetting("ta", 0.5, 0.5)
RESULT_MERGES = len(REFERENCES) + 2
"""The recommended one, the one with the highest score, and what there is without tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one trial took, and what that means for a study.

    Attributes:
        load_seconds: Loading the models, once a worker.
        merge_seconds: One merge, the second one: the first one compiles and warms up.
        eval_seconds: One evaluation on validation examples, likewise.
        validation: How many examples a trial answers.
        test: How many each merge of the result answers on top.
        dollars: What a judge charged for one evaluation.
        memory: Peak bytes on the device, or of the process where that is the CPU.
        model_bytes: What an exported merge needs on disk.
    """

    load_seconds: float
    merge_seconds: float
    eval_seconds: float
    validation: int
    test: int
    dollars: float
    memory: int
    model_bytes: int

    @property
    def trial_seconds(self) -> float:
        """One trial."""
        return self.merge_seconds + self.eval_seconds

    @property
    def result_seconds(self) -> float:
        """The result: recommended, luckiest and what there was before, on both splits."""
        return RESULT_MERGES * (self.merge_seconds + self.eval_seconds * self._share)

    def hours(self, trials: int, *, workers: int = 1) -> float:
        """Device-hours of a study."""
        return (workers * self.load_seconds + trials * self.trial_seconds + self.result_seconds) / 3600

    def money(self, trials: int, *, price: float, workers: int = 1) -> float:
        """Dollars of a study; a judge's cache will make that less."""
        judged = self.dollars * (trials + RESULT_MERGES * self._share)
        return self.hours(trials, workers=workers) * price + judged

    def spending(
        self, *, dim: int, hours: float | None = None, dollars: float | None = None, price: float = 0.0
    ) -> Spending:
        """The best use of a budget for trials, by what a merge and an example took.

        Args:
            dim: Number of hyperparameters.
            hours: Of a device; this or dollars.
            dollars: For devices and judges.
            price: Dollars an hour of a device.

        Raises:
            UsageError: If the budget buys nothing.
        """
        return plan_spending(
            self.validation + self.test,
            dim=dim,
            seconds=None if hours is None else 3600 * hours,
            dollars=dollars,
            merge_seconds=self.merge_seconds,
            example_seconds=self.eval_seconds / max(self.validation, 1),
            hourly=price,
            example_dollars=self.dollars / max(self.validation, 1),
        )

    @property
    def _share(self) -> float:
        """How many times the validation examples all of them are."""
        return (self.validation + self.test) / max(self.validation, 1)


def forecast(pair: Pair, opener: Opener, device: str) -> Forecast:
    """Load a pair and time a trial.

    Raises:
        UsageError: If the examples cannot be used.
        MergeError: If the pair cannot be loaded.
        TuningError: If the trial fails.
    """
    check_examples(pair)
    begin = time.perf_counter()
    session = opener(device)
    loaded = time.perf_counter() - begin
    for name in ("warming up", "timed"):
        result = session.run(Job(name, TIMED))
        if isinstance(result, Failure):
            raise TuningError(f"a trial at 0.5, 0.5 fails ({result.kind}): {result.reason}; {advice(result.kind)}")
    facts = session.facts()
    return Forecast(
        load_seconds=loaded,
        merge_seconds=result.cost.merge_seconds,
        eval_seconds=result.cost.eval_seconds,
        validation=facts["validation"],
        test=facts["test"],
        dollars=result.cost.dollars,
        memory=_peak(device),
        model_bytes=_size(pair.vlm),
    )


def _peak(device: str) -> int:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource
    import sys

    # Kilobytes, but bytes on a Mac.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
