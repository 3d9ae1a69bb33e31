"""What can be said of a study while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hpo_bench.tuning.budget import Limits, Spent
from hpo_bench.tuning.overhead import Overhead
from hpo_bench.tuning.trial import Trial


@dataclass(slots=True)
class Board:
    """The state of a running study.

    Attributes:
        limits: The budget.
        workers: How many workers there are.
        trials: All trials by number.
        best: The highest score after each finished trial, by number, among those that lost nothing that must be kept;
            absent before the first such success.
        begun: When each running trial began, by number, on the monotonic clock.
        news: Messages since the last look, oldest first.
        loaded: Whether a worker has loaded its models.
        stopping: Whether no further trial will be begun.
        overhead: What tuning itself took.
    """

    limits: Limits
    workers: int
    trials: dict[int, Trial] = field(default_factory=dict)
    best: dict[int, float] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    loaded: bool = False
    stopping: bool = False
    overhead: Overhead = field(default_factory=Overhead)

    @property
    def spent(self) -> Spent:
        """What the trials have cost."""
        return self.limits.spent(self.trials.values())

    @property
    def highest(self) -> float | None:
        """The highest score so far."""
        return max(self.best.values(), default=None)

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
        kinds: dict[str, int] = {}
        for trial in self.trials.values():
            if trial.state == "failed":
                kinds[trial.kind] = kinds.get(trial.kind, 0) + 1
        return kinds

    def put(self, trial: Trial) -> None:
        """Take in a trial's new state."""
        self.trials[trial.number] = trial
        if trial.score is not None and (trial.feasible or self.best):
            scores = [*self.best.values(), *([trial.score] if trial.feasible else [])]
            self.best[trial.number] = max(scores)


class Screen(Protocol):
    """Shows a board."""

    def show(self, board: Board, finished: Trial | None = None) -> None:
        """Show the state; `finished` is a trial that has just ended."""
        ...


class Silent:
    """Shows nothing."""

    def show(self, board: Board, finished: Trial | None = None) -> None:
        """Nothing."""
        board.news.clear()
