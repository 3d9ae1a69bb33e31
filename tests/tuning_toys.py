"""Workers without models, for tests of live tuning: scores come from a formula, labelled SYNTHETIC.

Processes that are started import this module again and again, so that it must not import PyTorch.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.trial import Failure, Job, Success, Trial, TrialCost
from hpo_bench.tuning.workers.base import Event, Finished, Lost, Ready, WorkerPool
from landscapes.outcomes import drawn

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair
    from hpo_bench.tuning.config import StudyConfig
    from hpo_bench.tuning.loop import Tuner
    from hpo_bench.tuning.progress import StudyProgress
    from hpo_bench.tuning.race import Race
    from hpo_bench.tuning.storage.store import TrialStore

EXAMPLES = 60
IDS = tuple(f"example-{i}" for i in range(EXAMPLES))
CATEGORIES = tuple("skill" if i % 2 else "general" for i in range(EXAMPLES))
HARDNESS = np.random.default_rng(0).random(EXAMPLES)
BONUS = {"ta": 0.0, "dare": -0.3, "ties": 0.05}


def config(**changes: Any) -> "StudyConfig":
    from hpo_bench.tuning.config import StudyConfig

    values: dict[str, Any] = {
        "pair": "synthetic",
        "checkpoints": {},
        "evaluation": {},
        "methods": ("ta",),
        "optimizer": "random",
        "optimizer_version": 1,
    }
    return StudyConfig(**{**values, **changes})


def tuner(store: "TrialStore", race: "Race", *, trials: int, **options: Any) -> "Tuner":
    """A tuner with a worker of its own and nothing to show, unless options say otherwise."""
    from hpo_bench.tuning.budget import Budget
    from hpo_bench.tuning.interrupt import Interrupt
    from hpo_bench.tuning.loop import Tuner

    usual = {"pool": InlinePool(), "budget": Budget(trials=trials), "interrupt": Interrupt(), "screen": Silent()}
    return Tuner(store=store, race=race, **{**usual, **options})


def answers(setting: MergeSetting) -> Answers:
    """SYNTHETIC: an example is right where a bowl around (0.5, 0.8) is above its hardness."""
    bowl = 0.9 - (setting.vl_weight - 0.5) ** 2 - (setting.exp_weight - 0.8) ** 2 + BONUS[setting.method]
    return Answers(IDS, CATEGORIES, (bowl > HARDNESS).astype(float))


def success(job: Job) -> Success:
    found = answers(job.setting)
    if job.tuned_on is not None:  # as many of the sixty as are asked for, as an evaluator has them
        first = sorted(IDS, key=lambda name: (drawn(name), name))[: job.tuned_on]
        found = found.only(np.array([name in first for name in IDS]))
    return Success(
        dict.fromkeys(job.splits, found), f"weights of {job.setting}", TrialCost(merge_seconds=1, eval_seconds=2)
    )


@dataclass
class ToySession:
    """What a worker process holds; some jobs go wrong on purpose.

    Attributes:
        hang: Names of jobs that never end.
        die: Names of jobs that end the process, by how often they do; counted in a folder.
        seconds: What a job takes.
        spawn: Names of jobs that start programs which never end; their ids go to `folder`/children.
    """

    hang: Sequence[str] = ()
    die: Mapping[str, int] = field(default_factory=dict)
    folder: str = ""
    seconds: float = 0.0
    spawn: Sequence[str] = ()

    def facts(self) -> Mapping[str, Any]:
        return {"validation": EXAMPLES, "test": EXAMPLES}

    def run(self, job: Job) -> Success | Failure:
        time.sleep(self.seconds)
        if job.name in self.spawn:
            for apart in (False, True):
                child = subprocess.Popen(["sleep", "600"], start_new_session=apart, close_fds=False)
                with open(os.path.join(self.folder, "children"), "a") as file:
                    file.write(f"{child.pid}\n")
        while job.name in self.hang:
            time.sleep(0.01)
        if job.name in self.die:
            marks = [name for name in os.listdir(self.folder) if name.startswith(f"{job.name}-")]
            if len(marks) < self.die[job.name]:
                open(os.path.join(self.folder, f"{job.name}-{len(marks)}"), "w").close()
                os._exit(3)
        return success(job)


@dataclass(frozen=True)
class ToyOpener:
    session: ToySession = field(default_factory=ToySession)

    def __call__(self, device: str) -> ToySession:
        return self.session


class BrokenOpener:
    def __call__(self, device: str) -> ToySession:
        if device == "dies":
            os._exit(7)
        if device == "raises":
            raise KeyError("a model")
        raise UsageError(f"no such thing as {device}")


class InlinePool(WorkerPool):
    """Runs jobs in this process when it is polled, oldest first, or in an order that a test gives.

    Args:
        size: Number of workers.
        run: What comes of a job; a `Failure` of kind worker-died or timeout loses the worker. May raise.
        pick: Which of the waiting workers finishes next.
    """

    def __init__(
        self,
        size: int = 1,
        run: Callable[[Job], Success | Failure] = success,
        pick: Callable[[Sequence[str]], str] = lambda busy: busy[0],
    ) -> None:
        self.jobs: list[Job] = []
        self.limits: list[float | None] = []
        self._run, self._pick = run, pick
        self._size, self._busy = size, dict[str, Job]()
        self._opening = [f"worker-{i + 1}" for i in range(size)]
        self._ready: list[str] = []

    @property
    def size(self) -> int:
        return self._size

    @property
    def idle(self) -> list[str]:
        return [worker for worker in self._ready if worker not in self._busy]

    def submit(self, worker: str, job: Job, *, limit: float | None = None) -> None:
        assert worker in self.idle
        self.jobs.append(job)
        self.limits.append(limit)
        self._busy[worker] = job

    def poll(self, timeout: float) -> Event | None:
        if self._opening:
            self._ready.append(self._opening.pop(0))
            return Ready(self._ready[-1], {"validation": EXAMPLES, "test": EXAMPLES})
        if not self._busy:
            return None
        worker = self._pick(list(self._busy))
        job = self._busy.pop(worker)
        result = self._run(job)
        if isinstance(result, Failure) and result.kind in ("worker-died", "timeout"):
            return Lost(worker, job, result)
        return Finished(worker, job, result)

    def stop(self) -> None:
        self._ready.clear()


def in_this_process(pair: "Pair") -> Callable[[Path, tuple[str, ...]], InlinePool]:
    """Opens one worker that holds a real pair, and works in this process."""

    from hpo_bench.tuning.workers.session import PairOpener

    def open_pool(logs: Path, wanted: tuple[str, ...]) -> InlinePool:
        return InlinePool(run=PairOpener(pair, coefficients=wanted)("cpu").run)

    return open_pool


def open_here(pair: "Pair", _config: object, _options: object, logs: Path, coefficients: tuple[str, ...]) -> InlinePool:
    """In place of `open_workers`: a process of a worker imports PyTorch and the models for seconds."""
    return in_this_process(pair)(logs, coefficients)


class Silent:
    """A screen that shows nothing."""

    def show(self, progress: "StudyProgress", finished: Trial | None = None) -> None:
        progress.news.clear()
