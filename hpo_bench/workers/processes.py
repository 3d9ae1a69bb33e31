"""Processes of this machine that work, kept from one piece of work to the next."""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, Pipe
from types import ModuleType
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from hpo_bench.workers.protocol import Answer, Item

# Forked from a process that has imported what they need, which takes seconds each. macOS's libraries cannot be forked.
CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


IMPORTED: list[str] = []
"""What the process that others are forked from imports when it begins."""


def ahead(modules: Sequence[str]) -> None:
    """Begin to import modules in the process that others are forked from; once it is there, later ones are ignored."""
    if CONTEXT.get_start_method() == "forkserver":
        IMPORTED.extend(modules)
        CONTEXT.set_forkserver_preload(IMPORTED)
        with _starting():
            forkserver.ensure_running()


@atexit.register
def _end_server() -> None:
    """It would end by itself, but not before all is imported, and whoever reads what it might write would wait."""
    server = getattr(forkserver, "_forkserver", None)  # Python says nowhere else who it is.
    if pid := getattr(server, "_forkserver_pid", None):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Processes:
    """So many processes, each begun when there is a task for it.

    They end at once when this process ends them or is killed, for they see the other end of a pipe close that it alone
    holds.

    Args:
        jobs: How many, at most.
    """

    _kept: "Processes | None" = None

    def __init__(self, jobs: int) -> None:
        self._like = jobs, dict(os.environ)
        self._theirs, self._ours = Pipe(duplex=False)
        begun: tuple[Any, ...] = self._theirs, {**os.environ, **ONE_THREAD}
        self._executor = ProcessPoolExecutor(jobs, mp_context=CONTEXT, initializer=_serve, initargs=begun)

    @classmethod
    def there(cls, jobs: int) -> "Processes":
        """Those that are kept, if they are as many, in the same environment, and one answers; or else new ones."""
        if cls._kept is not None and cls._kept._like == (jobs, dict(os.environ)):
            with suppress(BrokenProcessPool):
                cls._kept.submit(abs, 0).result()
                return cls._kept
        cls.end()
        cls._kept = cls(jobs)
        return cls._kept

    @classmethod
    def end(cls) -> None:
        """End those that are kept, whatever they do."""
        if (kept := cls._kept) is not None:
            kept._ours.close()
            kept._theirs.close()
            kept._executor.shutdown(wait=False, cancel_futures=True)
            cls._kept = None

    def submit(self, function: Callable[[Item], Answer], item: Item) -> Future[Answer]:
        """The promise of a function of an item.

        Raises:
            BrokenProcessPool: If one of the processes was killed.
        """
        with _starting():
            return self._executor.submit(_answer, _sent((function, item)))


def _sent(what: Answer) -> Answer:
    """Pickled when its turn comes, lest all that waits lie in memory twice, and so that a notebook's classes travel."""
    return joblib.wrap_non_picklable_objects(what, keep_wrapper=False)


def _answer(task: tuple[Callable[[Item], Answer], Item]) -> Answer:
    function, item = task
    return _sent(function(item))


@contextmanager
def _starting() -> Iterator[None]:
    """Who starts inside the block computes on one thread and does not hear the Ctrl-C that a terminal sends to all.

    When to end is for this process to say.
    """
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        with hidden_main(), _unheard():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def hidden_main() -> Iterator[None]:
    """Processes that start inside the block do not import what this one began with.

    Nothing in it is needed there, and a script that calls this package outside of an `if __name__ == "__main__"` would
    begin to do so in every worker.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _unheard() -> Iterator[None]:
    """Ctrl-C is ignored, which those that start inherit: one that is importing could not handle it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Others must not touch signals; `_serve` does as much a moment later.
        return
    resource_tracker.ensure_running()  # which lets the signal through again when it has started
    # Blocked as well, so that one which comes now is not lost to this process, but comes a moment later.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(theirs: Connection, environment: Mapping[str, str]) -> None:
    """Begin to work, in the environment that the parent has now: the process that was forked may be older."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_end_with, args=(theirs,), daemon=True).start()


def _end_with(theirs: Connection) -> None:
    with suppress(EOFError, OSError):
        theirs.recv()
    os._exit(1)


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
