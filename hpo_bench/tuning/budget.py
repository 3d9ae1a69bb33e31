"""How much may be spent, and how much is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hpo_bench.errors import UsageError
from hpo_bench.tuning.trial import Trial

LEAST_TIMEOUT, TIMEOUT_FACTOR = 600.0, 10.0
"""Without a word from the user an evaluation may take so many seconds, or so many times the longest one so far."""


def check_timeout(timeout: float | None) -> None:
    """Refuse a time in which nothing can be done.

    Raises:
        UsageError: If it is not positive and finite.
    """
    if timeout is not None and not 0 < timeout < math.inf:
        raise UsageError(f"a trial cannot end within {timeout:g} s; give --timeout more, or leave it out")


def time_limit(timeout: float | None, trials: Iterable[Trial]) -> float:
    """Seconds that a trial may take.

    Args:
        timeout: What the user allows; None to go by the trials so far.
        trials: Those.
    """
    if timeout is not None:
        return timeout
    return max(LEAST_TIMEOUT, TIMEOUT_FACTOR * max((trial.cost.seconds for trial in trials), default=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a study has cost so far.

    Attributes:
        trials: Begun, running ones included.
        hours: Hours of a device (a GPU, or the CPU where there is none), of finished trials.
        dollars: The devices' and the judges', of finished trials.
        finished: How many trials that is.
    """

    trials: int
    hours: float
    dollars: float
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The budget; whichever ends first ends the tuning.

    Attributes:
        trials: Number of trials.
        hours: Hours of a device.
        dollars: For devices and judges together.
        price: Dollars an hour of one device.
        until: Points that the rest of the budget must be expected to gain on unseen examples; None to spend it all.

    Raises:
        UsageError: If one is not positive and finite.
    """

    trials: int
    hours: float | None = None
    dollars: float | None = None
    price: float = 0.0
    until: float | None = None

    def __post_init__(self) -> None:
        for what, value in (("trials", self.trials), ("GPU-hours", self.hours), ("dollars", self.dollars)):
            if value is not None and not 0 < value < math.inf:  # NaN would lift the limit
                why = "is no limit" if value == math.inf else "buys nothing"
                raise UsageError(f"a budget of {value:g} {what} {why}; give a finite number above 0")
        if self.until is not None and not 0 < self.until < 100:
            raise UsageError(f"--until is a gain in points, such as 0.1, not {self.until:g}")
        if not 0 <= self.price < math.inf:
            raise UsageError(f"the price of an hour must be finite and not negative, unlike {self.price:g}")

    def cost(self, trial: Trial) -> float:
        """Dollars of a trial, its device's and its judge's."""
        return trial.cost.seconds / 3600 * self.price + trial.cost.dollars

    def spent(self, trials: Iterable[Trial]) -> Spent:
        """What trials have cost."""
        trials = list(trials)
        return Spent(
            trials=len(trials),
            hours=sum(trial.cost.seconds for trial in trials) / 3600,
            dollars=sum(self.cost(trial) for trial in trials),
            finished=sum(trial.state != "running" for trial in trials),
        )

    def shares(self, spent: Spent) -> list[float]:
        """For each limit the share that would be used up if running trials, and one more, cost what others did."""
        after = spent.trials + 1
        each = after / spent.finished if spent.finished else 0.0
        shares = [after / self.trials]
        if self.hours is not None:
            shares.append(spent.hours * each / self.hours)
        if self.dollars is not None:
            shares.append(spent.dollars * each / self.dollars)
        return shares

    def further(self, spent: Spent) -> int:
        """How many more trials it buys, if they cost what those before did; running ones are among them."""
        return int(self._left(spent) + 1e-9)

    def allow(self, spent: Spent) -> bool:
        """Whether one more trial is within the budget."""
        return max(self.shares(spent)) <= 1.0

    def left(self, spent: Spent, *, workers: int) -> float | None:
        """Seconds until the budget will have been used up, at the pace so far; None before the first result."""
        if not spent.finished:
            return None
        return self._left(spent) * spent.hours * 3600 / spent.finished / workers

    def _left(self, spent: Spent) -> float:
        left = [float(self.trials - spent.finished)]
        for limit, used in ((self.hours, spent.hours), (self.dollars, spent.dollars)):
            if limit is not None and used > 0:
                left.append((limit - used) * spent.finished / used)
        return max(0.0, min(left))
