"""Workers, as the tuner sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hpo_bench.tuning.trial import Failure, Job, Success


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


class WorkerPool(Protocol):
    """Workers that hold sessions, each at one job at a time."""

    @property
    def size(self) -> int:
        """How many workers there are, idle, busy or opening their session."""
        ...

    @property
    def idle(self) -> Sequence[str]:
        """Those that wait for work."""
        ...

    def submit(self, worker: str, job: Job, *, limit: float | None = None) -> None:
        """Give an idle worker a job.

        Args:
            worker: Its name.
            job: What to do.
            limit: Seconds after which it is ended.
        """
        ...

    def poll(self, timeout: float) -> Event | None:
        """The next thing that happened, or nothing within `timeout` seconds.

        Raises:
            HpoBenchError: If a worker cannot open its session.
        """
        ...

    def stop(self) -> None:
        """End all workers at once."""
        ...
