"""How much may be spent, and how much is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.preflight import HANDFUL
from hpo_bench.tuning.storage.expenses import NOTHING, Expenses
from hpo_bench.tuning.trial import Trial, TrialCost

LEAST_TIMEOUT, TIMEOUT_FACTOR = 600.0, 10.0
"""Without a word from the user a trial may take so many seconds, or so many times the longest one so far."""

_NOTHING_YET = TrialCost()


def check_timeout(timeout: float | None) -> None:
    """Refuse a time in which nothing can be done.

    Raises:
        UsageError: If it is not positive and finite.
    """
    if timeout is not None and not 0 < timeout < math.inf:
        raise UsageError(f"a trial cannot end within {timeout:g} s; give --timeout more, or leave it out")


def time_limit(
    timeout: float | None, trials: Iterable[Trial], *, asked: TrialCost = _NOTHING_YET, examples: int = 0
) -> float:
    """Seconds that a trial may take.

    Until one has completed, that follows from the questions before it: a handful took so long, each of them asked by
    itself as well, that as many examples as a trial answers in batches take less. What was ended for taking too long
    says nothing of what others need; else every one that hangs would be given ten times what the last one was.

    Args:
        timeout: What the user allows; None to go by the trials so far.
        trials: Those.
        asked: What the questions before the first trial took; nothing where that is not known.
        examples: How many a trial answers.
    """
    if timeout is not None:
        return timeout
    told = [trial for trial in trials if trial.told_as is not None and trial.kind != "timeout"]
    longest = max((trial.cost.seconds for trial in told), default=0.0)
    known = any(trial.state == "complete" for trial in told)
    first = 0.0 if known else asked.merge_seconds + asked.eval_seconds * examples / HANDFUL
    return max(LEAST_TIMEOUT, TIMEOUT_FACTOR * longest, first)


@dataclass(frozen=True, slots=True)
class Amount:
    """Hours of a device, and dollars for devices and judges together."""

    hours: float = 0.0
    dollars: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(self.hours + other.hours, self.dollars + other.dollars)

    def beyond(self, other: Self) -> Self:
        """What of this is more than another one; nothing where it is less."""
        return type(self)(max(0.0, self.hours - other.hours), max(0.0, self.dollars - other.dollars))

    def at_least(self, other: Self) -> Self:
        """This, or where another one is more, that."""
        return type(self)(max(self.hours, other.hours), max(self.dollars, other.dollars))


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What is done when the trials have ended, as for comparing and showing, in units of a trial.

    Attributes:
        merges: How many merges are made.
        evaluations: How many evaluations' worth of examples they answer.
        anew: What of it further trials make necessary once more, as they may have others chosen; None for nothing.
    """

    merges: float
    evaluations: float
    anew: "Closing | None" = None

    def cost(self, total: TrialCost, trials: int) -> TrialCost:
        """What it will cost, if it costs what so many complete trials did, which took that together."""
        merges, evaluations = self.merges / trials, self.evaluations / trials
        return TrialCost(
            merge_seconds=merges * total.merge_seconds, eval_seconds=evaluations * total.eval_seconds,
            dollars=evaluations * total.dollars,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a study has cost so far.

    Attributes:
        trials: Begun, running ones included.
        hours: Hours of a device (a GPU, or the CPU where there is none), of finished trials.
        dollars: The devices' and the judges', of finished trials.
        finished: How many trials that is.
        beside: Paid for beside the trials.
        held: Held back for what will be scored when they have ended.
        each: What a trial takes: as finished ones did, or until then, for those beside the first, as it is reckoned to.
    """

    trials: int
    hours: float
    dollars: float
    finished: int
    beside: Amount = Amount()
    held: Amount = Amount()
    each: Amount = Amount()

    @property
    def whole(self) -> Amount:
        """All that was paid: trials, and what there was beside them."""
        return Amount(self.hours, self.dollars) + self.beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The budget; whichever ends first ends the tuning.

    Attributes:
        trials: Number of trials.
        hours: Hours of a device.
        dollars: For devices and judges together.
        price: Dollars an hour of one device.
        until: Points that the rest of the budget must be expected to gain on unseen examples; None to spend it all.
        closing: What hours and dollars must still buy when the trials have ended; None where they are those of the
            trials alone, as in studies of before.
        reckoned: What a trial takes, while none has finished to tell; None where that is not known.

    Raises:
        UsageError: If one is not positive and finite.
    """

    trials: int
    hours: float | None = None
    dollars: float | None = None
    price: float = 0.0
    until: float | None = None
    closing: Closing | None = None
    reckoned: TrialCost | None = None

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
        return self.amount(trial.cost).dollars

    def amount(self, cost: TrialCost) -> Amount:
        """Hours and dollars of what took so long and was charged so much."""
        hours = cost.seconds / 3600
        return Amount(hours, hours * self.price + cost.dollars)

    def spent(self, trials: Iterable[Trial], expenses: Expenses = NOTHING) -> Spent:
        """What trials have cost, and what was paid for beside them."""
        trials = list(trials)
        total = sum((trial.cost for trial in trials), start=TrialCost())
        own, finished = self.amount(total), sum(trial.state != "running" for trial in trials)
        asked, scored = self.amount(expenses.asked), self.amount(expenses.scored)
        # What is compared with completes: trials that fail at once, or hang, say nothing of what that takes.
        whole = [trial.cost for trial in trials if trial.state == "complete"]
        told, count = (sum(whole, start=TrialCost()), len(whole)) if whole else (total, finished)
        each = Amount(own.hours / finished, own.dollars / finished) if finished else Amount()
        if trials and not finished and self.reckoned is not None:  # the first one is begun in any case
            told, count, each = self.reckoned, 1, self.amount(self.reckoned)
        # As much once it has been paid as before, so that a study that is finished stays so.
        held = Amount()
        if self.closing is not None and count:
            held = self.amount(self.closing.cost(told, count)).beyond(scored)
            if self.closing.anew is not None:
                held = held.at_least(self.amount(self.closing.anew.cost(told, count)))
        return Spent(
            trials=len(trials), hours=own.hours, dollars=own.dollars, finished=finished, beside=asked + scored,
            held=held, each=each,
        )  # fmt: skip

    def shares(self, spent: Spent) -> list[float]:
        """For each limit the share that would be used up if running trials, and one more, cost what others did."""
        after, aside = spent.trials + 1, self._aside(spent)
        shares = [after / self.trials]
        if self.hours is not None:
            shares.append((after * spent.each.hours + aside.hours) / self.hours)
        if self.dollars is not None:
            shares.append((after * spent.each.dollars + aside.dollars) / self.dollars)
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
        left, aside = [float(self.trials - spent.finished)], self._aside(spent)
        for limit, used, other in (
            (self.hours, spent.hours, aside.hours),
            (self.dollars, spent.dollars, aside.dollars),
        ):
            if limit is not None and used > 0:
                left.append((limit - other - used) * spent.finished / used)
        return max(0.0, min(left))

    def _aside(self, spent: Spent) -> Amount:
        """What of hours and dollars is not the trials'."""
        return Amount() if self.closing is None else spent.beside + spent.held
