"""The loop: ask, merge, evaluate, store, tell."""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from hpo_bench.errors import ResultsError, TuningError
from hpo_bench.tuning.budget import Budget, time_limit
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.options import PATIENCE
from hpo_bench.tuning.progress import Overhead, Screen, StudyProgress
from hpo_bench.tuning.race import Race, describe, replay
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Failure, Job, Success, Trial, TrialCost
from hpo_bench.tuning.workers.base import Finished, Lost, WorkerPool

ADVICE: Mapping[str, str] = {
    "out-of-memory": "lower `batch_size` (and `max_new_tokens`) in the evaluation section of pair.yaml, free the "
    "device of other processes, or take one with more memory",
    "nan-logits": "the merged weights overflow: lower the upper end of --coefficients, or merge in float32",
    "raised": "the evaluator has an error; the log has its traceback",
    "timeout": "evaluations take longer than --timeout allows: raise it, or ask fewer examples; the log says where the "
    "last one hung",
    "nonsense": "the evaluator returns what are no scores from 0 to 1, one an example; the log says what",
    "judge": "the judge does not answer: check its URL, its key and its quota",
    "endless": "most answers never end: check the chat template and `max_new_tokens`, or lower the upper end of "
    "--coefficients",
    "money": "the judge's money limit is reached: raise `max_dollars` in the evaluation section of pair.yaml",
    "merge": "the pair cannot be merged: run it through a single setting, and see the log",
    "method": "the merge method has an error: mend it, and see that `hpo_bench.testing.check_merge_method` passes",
    "prompt": "a question cannot be put to this model: mend the examples or the chat template; the log says which",
    "stale": "answers are not those of the merged weights: see in the log what the evaluator keeps from one merge "
    "to the next",
    "worker-died": "workers die: the machine may be short of memory (see its kernel log), or a library crashes",
}


def advice(kind: str) -> str:
    """What to do about a sort of failure."""
    return ADVICE.get(kind, "see the log")


Ending = Literal["budget", "gain", "interrupted"]

LIVES = 3
"""A trial that took so many workers with it has failed."""
LOOK_SECONDS = 0.25
NOTE_SECONDS = 30.0
"""So often it is stored what running trials have taken, for the budget of whoever goes on after a kill."""


class Tuner:
    """Tunes a study until its budget ends or somebody interrupts.

    Whatever was asked and told before, in this process or another, is asked and told again first; what was running
    then is run again. With one worker and a deterministic evaluator the trials are those of a study that was never
    interrupted.

    Args:
        store: The study's trials.
        race: The optimisers, at their beginning.
        pool: The workers.
        budget: The budget.
        interrupt: Says when to end early.
        screen: Where to show it.
        timeout: Seconds that a trial may take; by default found from those before it.
        patience: So many failures in a row end the tuning.
        examples: How many a trial answers, by which the first one's time is limited; 0 where that is not known.

    Attributes:
        progress: What there is to say.
        ahead: What the rest of the budget was last expected to gain, in units of the score.

    Raises:
        TuningError: If the stored trials do not fit the optimisers.
    """

    def __init__(
        self,
        *,
        store: TrialStore,
        race: Race,
        pool: WorkerPool,
        budget: Budget,
        interrupt: Interrupt,
        screen: Screen,
        timeout: float | None = None,
        patience: int = PATIENCE,
        examples: int = 0,
    ) -> None:
        self._store, self._race, self._pool, self._interrupt, self._screen = store, race, pool, interrupt, screen
        self._timeout, self._patience, self._examples = timeout, patience, examples
        paid = Expenses.read(store.folder)
        self.progress = StudyProgress(budget, pool.size, limited=not race.goal.front, expenses=paid)
        self._before = Overhead.read(store.folder)
        trials = store.trials()
        self._again = deque(replay(race, trials, store.answers))
        for trial in sorted(trials, key=lambda trial: (trial.told_as is None, trial.told_as)):
            self.progress.put(trial)
        self._running: dict[str, Trial] = {}
        self._deaths: Counter[int] = Counter()
        self._streak = 0
        self._looked, self.ahead = -1, float("inf")
        self._noted = time.monotonic()
        self._spoken: set[str] = set(race.dropped)

    def run(self) -> Ending:
        """Tune.

        Returns:
            "budget" if the budget is spent (or the optimisers have nothing left to ask), "gain" if what is left of it
            would gain too little, "interrupted" if an end was asked for first.

        Raises:
            TuningError: If the storage fails, or too many trials in a row did.
            ResultsError: If answers or logs cannot be written, as on a full disk.
            KeyboardInterrupt: If it was asked for twice.
        """
        try:
            while True:
                self.progress.loaded |= bool(self._pool.idle)
                self._assign()
                self._screen.show(self.progress)
                if not self._running and not self._more:
                    if self._interrupt.requested:
                        return "interrupted"
                    self._check_any()
                    return "gain" if self._affordable and self._idle_rest else "budget"
                event = self._pool.poll(LOOK_SECONDS)
                if isinstance(event, Finished | Lost):
                    self._take(event)
                if time.monotonic() - self._noted >= NOTE_SECONDS:
                    self._note()
        finally:
            self._note()
            # A full disk has been told of already, and these accounts are not worth another word.
            with contextlib.suppress(ResultsError):
                (self._before + self.progress.overhead).write(self._store.folder)

    def _note(self) -> None:
        """Store what running trials have taken; where that fails, the next result says so, which is worth more."""
        self._noted = now = time.monotonic()
        for trial in self._running.values():
            spent = TrialCost(eval_seconds=now - self.progress.begun.get(trial.number, now))
            with contextlib.suppress(TuningError):
                self._store.note(replace(trial, cost=trial.cost + spent))

    @property
    def _more(self) -> bool:
        if self._interrupt.requested:
            return False
        if self._again:
            # What a kill left unfinished is finished, unless fewer trials are asked for now.
            return self.progress.spent.finished + len(self._running) < self.progress.budget.trials
        return self._affordable and not self._idle_rest

    @property
    def _affordable(self) -> bool:
        return self._race.open and self.progress.budget.allow(self.progress.spent)

    @property
    def _idle_rest(self) -> bool:
        """Whether the rest of the budget is expected to gain too little to be spent; looked at after each result."""
        budget = self.progress.budget
        if budget.until is None or self._again:
            return False
        if self._looked != self._race.told:
            with self.progress.overhead.of("ask"):
                self._looked = self._race.told
                self.ahead = self._race.gain(budget.further(self.progress.spent))
        return 100 * self.ahead < budget.until

    def _assign(self) -> None:
        """Give every idle worker a trial, as long as there are any."""
        self.progress.stopping = self._interrupt.requested
        clock = self.progress.overhead
        for worker in self._pool.idle:
            if not self._more:
                break
            if self._again:
                trial = self._store.assign(self._again.popleft(), worker)
            else:
                with clock.of("ask"):
                    setting = self._race.ask()
                if setting is None:
                    break
                with clock.of("store"):
                    trial = self._store.start(setting, asked_after=self._race.told, worker=worker)
            self._running[worker] = trial
            self.progress.put(trial)
            self.progress.begun[trial.number] = time.monotonic()
            asked = self.progress.expenses.asked
            limit = time_limit(self._timeout, self.progress.trials.values(), asked=asked, examples=self._examples)
            self._pool.submit(worker, self._job(trial), limit=limit)

    def _job(self, trial: Trial) -> Job:
        return Job(f"trial {trial.number}", trial.setting, tuned_on=self._store.begun.examples)

    def _take(self, event: Finished | Lost) -> None:
        trial = self._running.pop(event.worker)
        del self.progress.begun[trial.number]
        if isinstance(event, Lost):
            result: Success | Failure = event.failure
            if event.failure.kind == "worker-died":
                self._deaths[trial.number] += 1
                if self._deaths[trial.number] < LIVES:
                    self._say(f"{event.failure.reason}; trial {trial.number} is given to another")
                    # What the worker took was paid for, whoever finishes its trial.
                    trial = replace(trial, cost=trial.cost + event.failure.cost)
                    self.progress.put(trial)
                    self._store.note(trial)
                    self._again.appendleft(trial)
                    return
        else:
            result = event.result
        told_as, clock = self._race.told, self.progress.overhead
        with clock.of("store"):
            trial = self._store.finish(trial, result, told_as=told_as, goal=self._race.goal)
        with clock.of("tell"):
            answers = result.answers["validation"] if isinstance(result, Success) and trial.score is not None else None
            self._race.tell(trial, answers)
        self.progress.put(trial)
        clock.trials += 1
        for method, why in self._race.dropped.items():
            if method not in self._spoken:
                self._spoken.add(method)
                self._say(why)
        with clock.of("show"):
            self._screen.show(self.progress, trial)
        self._count(trial)

    def _count(self, trial: Trial) -> None:
        if trial.kind == "method" and not self._merged(trial.setting.method):
            raise TuningError(f"{trial.setting.label} cannot merge {self._why(trial)}. The same command then goes on")
        self._streak = self._streak + 1 if trial.state == "failed" else 0
        if self._streak >= self._patience:
            failed = f"{self._streak} trials in a row failed, the last" if self._streak > 1 else "a trial failed"
            raise TuningError(f"{failed} {self._why(trial)}. The same command then goes on")

    def _check_any(self) -> None:
        """Refuse to end a study of which nothing can be said, as no trial completed."""
        told = [trial for trial in self.progress.trials.values() if trial.told_as is not None]
        if told and all(trial.state == "failed" for trial in told):
            last = max(told, key=lambda trial: trial.told_as or 0)
            failed = f"none of {len(told)} trials completed, the last" if len(told) > 1 else "the only trial failed"
            raise TuningError(
                f"{failed} {self._why(last)}. Then a higher --trials goes on, and so does more of another budget"
            )

    def _why(self, failed: Trial) -> str:
        """Where a trial failed, why, and what to do about it."""
        log = self._store.folder / failed.log
        return f"at {describe(failed.setting)}: {failed.reason}; {advice(failed.kind)} (log: {log})"

    def _merged(self, method: str) -> bool:
        """Whether a method has merged anything yet: one whose code never does will not the next time."""
        return any(one.setting.method == method and one.state == "complete" for one in self.progress.trials.values())

    def _say(self, message: str) -> None:
        self.progress.news.append(message)
