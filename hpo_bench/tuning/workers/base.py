"""Workers, as the tuner sees them."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from hpo_bench.tuning.trial import Failure, Job, Success, TrialCost


class WorkerSession(Protocol):
    """What a worker process holds."""

    def run(self, job: Job) -> Success | Failure:
        """Merge and evaluate; never raises for what a job can do wrong."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What whoever plans should know, such as how many examples there are."""
        ...


Opener = Callable[[str], WorkerSession]
"""Opens a session on a device ("cpu", "cuda:0", ...); travels to the worker by pickle."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has opened its session and waits for work.

    Attributes:
        worker: Its name.
        facts: What its session knows.
    """

    worker: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker has answered a job, and waits for the next.

    Attributes:
        worker: Its name.
        job: What it was asked.
        result: What it answered.
    """

    worker: str
    job: Job
    result: Success | Failure


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone; the pool opens another in its place.

    Attributes:
        worker: Its name.
        job: What it was at.
        failure: Why: of kind "timeout" when the pool ended it for taking too long, "worker-died" when it died.
    """

    worker: str
    job: Job
    failure: Failure


Event = Ready | Finished | Lost


@dataclass(slots=True, kw_only=True)
class Worker:
    """One of a pool's workers, and what it is at.

    Attributes:
        name: What messages call it.
        ready: Whether its session is open.
        job: What it works on; None while it is idle or opens its session.
        begun: When it was given that, on the monotonic clock.
        limit: Seconds after which it is to be ended; None for never.
    """

    name: str
    ready: bool = False
    job: Job | None = None
    begun: float = 0.0
    limit: float | None = None

    @property
    def end(self) -> float:
        """When it is to be ended, on the monotonic clock; infinite where it is not."""
        return math.inf if self.job is None or self.limit is None else self.begun + self.limit

    def answered(self, answer: Any) -> Ready | Finished | None:
        """What its message means: the first one tells that its session is open, the others end jobs."""
        if not self.ready:
            self.ready = True
            return Ready(self.name, answer)
        job, self.job = self.job, None
        return None if job is None else Finished(self.name, job, answer)

    def lost(self, kind: str, reason: str, details: str) -> Lost | None:
        """What its end means, which cost the time since its job began; nothing where it had none.

        Args:
            kind: The sort of failure.
            reason: What went wrong, in a line.
            details: What else is known.
        """
        if self.job is None:
            return None
        spent = TrialCost(eval_seconds=time.monotonic() - self.begun)
        return Lost(self.name, self.job, Failure(kind, reason, details, spent))

    @property
    def too_long(self) -> str:
        """A sentence on a job that took longer than it may."""
        return f"{'' if self.job is None else self.job.name} took longer than {self.limit:.0f} s and was ended"


W = TypeVar("W", bound=Worker)


class WorkerPool(ABC, Generic[W]):
    """Workers that hold sessions, each at one job at a time."""

    _workers: list[W]

    @property
    def size(self) -> int:
        """How many workers there are, idle, busy or opening their session."""
        return len(self._workers)

    @property
    def idle(self) -> Sequence[str]:
        """Those that wait for work."""
        return [worker.name for worker in self._workers if worker.ready and worker.job is None]

    @abstractmethod
    def submit(self, worker: str, job: Job, *, limit: float | None = None) -> None:
        """Give an idle worker a job.

        Args:
            worker: Its name.
            job: What to do.
            limit: Seconds after which it is ended.
        """

    @abstractmethod
    def poll(self, timeout: float) -> Event | None:
        """The next thing that happened, or nothing within `timeout` seconds.

        Raises:
            HpoBenchError: If a worker cannot open its session.
        """

    @abstractmethod
    def stop(self) -> None:
        """End all workers at once."""

    def _give(self, name: str, job: Job, limit: float | None) -> W:
        """Note that a worker has a job from now on, and say which that is."""
        worker = next(one for one in self._workers if one.name == name)
        worker.job, worker.begun, worker.limit = job, time.monotonic(), limit
        return worker
