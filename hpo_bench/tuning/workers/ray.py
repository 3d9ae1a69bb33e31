"""Workers as Ray actors, on as many machines as a cluster has."""

import logging
import os
import time
from dataclasses import dataclass
from typing import Any

from hpo_bench.errors import HpoBenchError, TuningError, UsageError
from hpo_bench.tuning.trial import Job
from hpo_bench.tuning.workers.base import Event, Opener, Worker, WorkerPool

try:
    import ray
    from ray.exceptions import RayActorError, RayError, RayTaskError
except ImportError as error:
    raise UsageError("tuning on a cluster needs Ray: pip install 'hpo-bench[cluster]'") from error


class _Actor:
    """What runs on a node: a session on the device that Ray gave it."""

    def __init__(self, opener: Opener, device: str | None) -> None:
        import torch

        # Ray shows an actor its own GPUs alone, so that the first is the right one.
        self._session = opener(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))

    def facts(self) -> Any:
        """What the session knows."""
        return self._session.facts()

    def run(self, job: Job) -> Any:
        """Merge and evaluate."""
        return self._session.run(job)


@dataclass(slots=True, kw_only=True)
class _RayWorker(Worker):
    actor: Any
    waiting: Any


class RayPool(WorkerPool[_RayWorker]):
    """Actors on a Ray cluster, each with a session of its own that stays in memory.

    An actor is placed wherever the cluster has room, now or once a node has joined; one whose node is lost is opened
    again elsewhere, and its trial is given to another.

    Args:
        opener: Opens a session in each actor; the pair must be at the same path on every node, or on the hub.
        address: Of the cluster, such as "auto" or "10.0.0.1:6379".
        workers: How many actors.
        device: What each opens its session on; by default its GPU, else the CPU.

    Raises:
        TuningError: If the cluster cannot be reached.
    """

    def __init__(self, opener: Opener, *, address: str, workers: int, device: str | None = None) -> None:
        self._began = not ray.is_initialized()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        try:
            if self._began:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise TuningError(
                f"no Ray cluster answers at {address!r}: {str(error).splitlines()[0]}; if it runs, RAY_AUTH_MODE "
                "and RAY_AUTH_TOKEN must be the same here as where it was started"
            ) from error
        gpus = 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0
        self._kind = ray.remote(num_cpus=1, num_gpus=gpus)(_Actor)
        # Put once: every actor fetches it from the store.
        self._opener, self._device = ray.put(opener), device
        self._workers = [self._open(f"worker-{i + 1}") for i in range(workers)]

    def submit(self, worker: str, job: Job, *, limit: float | None = None) -> None:
        """Give an idle worker a job."""
        one = self._give(worker, job, limit)
        one.waiting = one.actor.run.remote(job)

    def poll(self, timeout: float) -> Event | None:
        """The next thing that happened.

        Raises:
            TuningError: If a session cannot be opened.
            HpoBenchError: Likewise, for reasons of ours.
        """
        waiting = {worker.waiting: worker for worker in self._workers if worker.waiting is not None}
        if not waiting:
            time.sleep(timeout)
            return None
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=timeout)
        # What was answered counts, even where it came too late.
        if done:
            return self._heard(waiting[done[0]])
        now = time.monotonic()
        for worker in self._workers:
            if now > worker.end:
                return self._replace(worker, "timeout", worker.too_long)
        return None

    def stop(self) -> None:
        """End all workers at once, and leave the cluster."""
        for worker in self._workers:
            ray.kill(worker.actor)
        self._workers = []
        if self._began:
            ray.shutdown()

    def _heard(self, worker: _RayWorker) -> Event | None:
        try:
            answer: Any = ray.get(worker.waiting)
        except RayTaskError as error:
            # What a session raises when it is opened; a job's own errors are failures and no exceptions.
            raise _cause(error) from error
        except RayActorError as error:
            if (cause := _opening_error(error)) is not None:
                raise cause from error
            return self._replace(worker, "worker-died", f"{worker.name} was lost with its node or process")
        except RayError as error:
            raise TuningError(f"the Ray cluster fails: {str(error).splitlines()[0]}") from error
        worker.waiting = None
        return worker.answered(answer)

    def _replace(self, worker: _RayWorker, kind: str, reason: str) -> Event | None:
        ray.kill(worker.actor)
        self._workers[self._workers.index(worker)] = self._open(worker.name)
        return worker.lost(kind, reason, "see the logs of the Ray cluster")

    def _open(self, name: str) -> _RayWorker:
        actor: Any = self._kind.remote(self._opener, self._device)
        return _RayWorker(name=name, actor=actor, waiting=actor.facts.remote())


def _opening_error(error: RayActorError) -> Exception | None:
    """What an actor's constructor raised, which would be raised again by the next; None if its node was lost."""
    cause = error.__cause__ or getattr(error, "cause", None)
    return _cause(cause) if isinstance(cause, RayTaskError) else None


def _cause(error: RayTaskError) -> Exception:
    cause = error.cause
    if isinstance(cause, HpoBenchError):
        return cause
    return TuningError(f"a worker cannot open the pair: {type(cause).__name__}: {cause}")
