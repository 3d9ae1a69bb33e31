"""Worker processes, each on one thread: of this machine, or of a Ray cluster."""

import atexit
import gc
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import joblib
from joblib._parallel_backends import LokyBackend
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from hpo_bench.errors import HpoBenchError, UsageError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

WORTH_WORKERS = 4
"""Fewer small tasks than this are done before a worker has started."""
RETRIES = 3
"""How often in a row a task may lose its worker before that is an error."""


class Workers(Protocol):
    """Whoever does the work."""

    @property
    def jobs(self) -> int:
        """How many tasks are done at a time."""
        ...

    def stream(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """The function of every item, in the order in which they are finished.

        A worker that is killed costs its unfinished task, and what else it takes down with it (each kind says what);
        all of it is done again from its beginning, and finished tasks are safe.

        Args:
            function: Importable, so that workers find it; raises only what is the task's own fault.
            items: Its arguments, costliest first.

        Raises:
            HpoBenchError: If workers are killed again and again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine (joblib with loky); a single job works in this process.

    Attributes:
        jobs: How many.
    """

    jobs: int

    def stream(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """See `Workers`.

        A killed process costs the unfinished tasks of all processes, up to `jobs` of them, as the whole pool breaks;
        a new one does them again. A single job works in this very process, and a kill ends both.
        """
        left, lost = dict(enumerate(items)), 0
        while left:
            with pool(self.jobs):
                # One task a dispatch and no queue ahead of it, so that the costliest go first and nobody idles at the
                # end.
                parallel = joblib.Parallel(
                    n_jobs=self.jobs,
                    return_as="generator_unordered",
                    pre_dispatch="n_jobs",
                    batch_size=1,  # pyright: ignore[reportArgumentType]
                )
                tasks = [joblib.delayed(_numbered)(function, place, item) for place, item in left.items()]
                try:
                    with _closing(cast(Generator[tuple[int, Any]], parallel(tasks))) as answers:
                        for place, answer in answers:
                            del left[place]
                            lost = 0
                            yield answer
                except TerminatedWorkerError as error:
                    lost += 1
                    if lost > RETRIES:
                        raise HpoBenchError(
                            "worker processes are killed again and again, perhaps for want of memory (try --jobs 1); "
                            "what is finished and stored is kept, and the same command goes on from there"
                        ) from error


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Tasks of a Ray cluster, which does again what it loses with a worker or a machine.

    Ray's own tasks and not its backend for joblib, which works through a pool of actors: a worker that is killed costs
    its own unfinished task and no other, and that task is done again from its beginning.

    Attributes:
        jobs: Tasks at a time, each on one core.
        address: Of the cluster, as `ray.init` takes it; None starts one of this machine's cores.
    """

    jobs: int
    address: str | None = None

    def stream(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """See `Workers`."""
        with _ray(self.jobs, self.address) as ray:
            # A function of ours, as Ray takes no other callable.
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(lambda item: function(item))
            waiting, running = list(reversed(items)), []
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    running.append(task.remote(waiting.pop()))
                (done, *_), running = ray.wait(running, num_returns=1)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    # What the task itself raised, not Ray's account of it.
                    raise error.cause from None
                except ray.exceptions.RayError as error:
                    raise HpoBenchError(
                        f"the Ray cluster lost a task {RETRIES + 1} times: {error}; finished runs are stored, and the "
                        "same command goes on from there"
                    ) from error


@contextmanager
def _ray(jobs: int, address: str | None) -> Iterator[Any]:
    # Read when Ray is imported or starts: nothing is reported to anybody, and no page is served.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray-address needs Ray: pip install 'hpo-bench[cluster]'") from error
    mine = not ray.is_initialized()
    if mine:
        local: dict[str, Any] = {} if address else {"num_cpus": jobs, "include_dashboard": False}
        try:
            ray.init(
                address=address or "local", log_to_driver=False, logging_level=logging.ERROR, configure_logging=True,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}}, **local,
            )  # fmt: skip
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster can be used at {address or 'this machine'}: {error}") from error
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


class _Undisturbed(LokyBackend):
    """loky, whose processes do not hear the Ctrl-C that the terminal sends to all: when to end is for this one to say.

    They are started while the signal is ignored, which they inherit, since one that is importing could not handle it.
    """

    def submit(self, func: Any, callback: Any = None) -> Any:
        """Start workers, if need be, and give one of them a task."""
        if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
            return super().submit(func, callback)
        resource_tracker.ensure_running()  # which lets the signal through again when it has started
        # Blocked as well, so that one which comes now is not lost to this process, but comes a moment later.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return super().submit(func, callback)
        finally:
            signal.signal(signal.SIGINT, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


PARENT_SECONDS = 1.0
"""How often a worker looks whether the process is still there that it works for."""


def _serve(parent: int) -> None:
    """Begin as a worker: Ctrl-C is the parent's to hear, and without it nobody wants the work.

    The signal is ignored already but in workers that loky starts later in place of others, from a thread that must not
    touch signals. A parent that is killed cannot end its workers, which would finish their tasks for nobody.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(gc.freeze)  # or it ends with a search for garbage in all that was imported, and is waited for
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


joblib.register_parallel_backend("undisturbed", _Undisturbed)


@contextmanager
def pool(jobs: int) -> Iterator[None]:
    """Where joblib works inside the block."""
    if jobs == 1:
        yield
        return
    begun = {"initializer": _serve, "initargs": (os.getpid(),)}
    with warnings.catch_warnings(), joblib.parallel_config(backend="undisturbed", inner_max_num_threads=1, **begun):
        # A worker that has come to import torch has grown as if it leaked memory; loky replaces it and nothing is lost.
        warnings.filterwarnings("ignore", message="A worker stopped", category=UserWarning)
        yield


@contextmanager
def _closing(answers: Generator[Answer]) -> Iterator[Generator[Answer]]:
    """Joblib's answers, whose end is no news: whoever does not wait for the rest knows that it is not made."""
    try:
        yield answers
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"\d+ tasks (have|which)", category=UserWarning)
            answers.close()


@contextmanager
def one_thread() -> Iterator[None]:
    """More threads would not help on the small matrices of optimisers, get in workers' way, and round otherwise."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(limits=1):
        try:
            if torch:  # Keeps a pool of its own.
                torch.set_num_threads(1)
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def each(function: Callable[[Item], Answer], items: Sequence[Item], *, jobs: int) -> list[Answer]:
    """The function of every item, in order.

    Args:
        function: Importable, so that workers find it.
        items: Its arguments.
        jobs: Worker processes of this machine.

    Raises:
        HpoBenchError: If workers are killed again and again.
    """
    return begin(function, items, jobs=jobs)()


def begin(function: Callable[[Item], Answer], items: Sequence[Item], *, jobs: int) -> Callable[[], list[Answer]]:
    """Begin with the function of every item, so that this process may do something else meanwhile.

    Args:
        function: Importable, so that workers find it.
        items: Its arguments.
        jobs: Worker processes of this machine. A single job, or few items, are done when they are asked for.

    Returns:
        What waits for all of them and gives them in order, as `each` does; to be called once.
    """
    workers = Local(jobs if len(items) >= WORTH_WORKERS else 1)
    stream = workers.stream(partial(_alone, function), list(enumerate(items)))
    # The first answer starts the stream, which goes on by itself where there is somebody to do it.
    answers = dict([next(stream)]) if workers.jobs > 1 else {}

    def wait() -> list[Answer]:
        answers.update(stream)
        return [answers[place] for place in range(len(items))]

    return wait


def _alone(function: Callable[[Item], Answer], numbered: tuple[int, Item]) -> tuple[int, Answer]:
    with one_thread():
        return numbered[0], function(numbered[1])


def _numbered(function: Callable[[Item], Answer], place: int, item: Item) -> tuple[int, Answer]:
    return place, function(item)
