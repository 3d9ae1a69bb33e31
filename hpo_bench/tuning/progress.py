"""What can be said of a study while it runs."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from hpo_bench.errors import TuningError
from hpo_bench.files import read_record, write_record
from hpo_bench.tuning.budget import Budget, Spent
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.trial import Trial

FILE = "overhead.json"
PARTS = {
    "ask": "the optimiser proposes a setting",
    "tell": "it learns what came of it",
    "store": "trial and answers are on disk",
    "show": "table or line in the terminal",
}


def _nothing() -> dict[str, float]:
    return dict.fromkeys(PARTS, 0.0)


@dataclass(slots=True)
class Overhead:
    """Seconds of the tuner's own process, by part.

    Redrawing the table while a trial runs is not in it: nobody waits for that.

    Attributes:
        trials: How many trials finished meanwhile.
        wall: Wall seconds of each of `PARTS`.
        processor: The processor's seconds, all threads together: what is left of them on a machine that is busy
            otherwise, or has a slow disk.
    """

    trials: int = 0
    wall: dict[str, float] = field(default_factory=_nothing)
    processor: dict[str, float] = field(default_factory=_nothing)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what happens in the block to a part."""
        wall, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[part] += time.perf_counter() - wall
            self.processor[part] += time.process_time() - processor

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.trials + other.trials,
            {part: self.wall[part] + other.wall[part] for part in PARTS},
            {part: self.processor[part] + other.processor[part] for part in PARTS},
        )

    @property
    def each(self) -> tuple[float, float]:
        """Wall and processor seconds a trial, all parts together; 0 before the first trial."""
        n = max(self.trials, 1)
        return sum(self.wall.values()) / n, sum(self.processor.values()) / n

    def write(self, folder: Path) -> None:
        """Keep it in a study's folder."""
        write_record(folder / FILE, self)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What was kept there; nothing spent if there is none.

        Raises:
            TuningError: If the file is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return cls()
        cure = "delete it, no trial is lost"
        kept = read_record(path, cls, wrong=TuningError, cure=cure, whole=True)
        if set(PARTS) != set(kept.wall) or set(PARTS) != set(kept.processor):
            raise TuningError(f"{path} is damaged: it has other parts than {', '.join(PARTS)}; {cure}")
        return kept


@dataclass(slots=True)
class StudyProgress:
    """The state of a running study.

    Attributes:
        budget: The budget.
        workers: How many workers there are.
        limited: Whether losing more than is allowed of what must be kept is a fault, and not one end of a front.
        trials: All trials by number.
        best: The highest score after each finished trial, by number, among those that lost nothing that must be kept;
            absent before the first such success.
        begun: When each running trial began, by number, on the monotonic clock.
        news: Messages since the last look, oldest first.
        loaded: Whether a worker has loaded its models.
        stopping: Whether no further trial will be begun.
        overhead: What tuning itself took.
        expenses: What was paid for before, beside the trials.
    """

    budget: Budget
    workers: int
    limited: bool = True
    trials: dict[int, Trial] = field(default_factory=dict)
    best: dict[int, float] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    loaded: bool = False
    stopping: bool = False
    overhead: Overhead = field(default_factory=Overhead)
    expenses: Expenses = field(default_factory=Expenses)

    @property
    def spent(self) -> Spent:
        """What the study has cost."""
        return self.budget.spent(self.trials.values(), self.expenses)

    @property
    def highest(self) -> float | None:
        """The highest score so far."""
        return max(self.best.values(), default=None)

    def fits(self, trial: Trial) -> bool:
        """Whether a complete trial keeps what it must."""
        return trial.feasible or not self.limited

    @property
    def least(self) -> float | None:
        """The least that must be kept; None where nothing must, or before the first result."""
        known = (t.kept - t.margin for t in self.trials.values() if t.kept is not None and t.margin is not None)
        return next(known, None)

    @property
    def finished(self) -> list[Trial]:
        """Finished trials in the order in which they finished."""
        done = [trial for trial in self.trials.values() if trial.told_as is not None]
        return sorted(done, key=lambda trial: trial.told_as or 0)

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many trials failed, by kind."""
        return Counter(trial.kind for trial in self.trials.values() if trial.state == "failed")

    def put(self, trial: Trial) -> None:
        """Take in a trial's new state."""
        self.trials[trial.number] = trial
        if trial.score is not None and (trial.feasible or self.best):
            scores = [*self.best.values(), *([trial.score] if trial.feasible else [])]
            self.best[trial.number] = max(scores)


class Screen(Protocol):
    """Shows how a study is doing."""

    def show(self, progress: StudyProgress, finished: Trial | None = None) -> None:
        """Show the state; `finished` is a trial that has just ended."""
        ...
