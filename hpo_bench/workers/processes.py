"""Processes of this machine that work, kept from one piece of work to the next."""

import atexit
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, Pipe
from multiprocessing.context import BaseContext
from multiprocessing.util import Finalize
from types import ModuleType
from typing import Any, ClassVar

import joblib
from threadpoolctl import threadpool_limits

from hpo_bench.errors import HpoBenchError
from hpo_bench.workers.protocol import Answer, Item
from optimizers.errors import in_words

LONGEST = 70
"""Bytes of a temporary folder's path in which a socket can still be made, whose own path has 107 at most."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}


IMPORTED: list[str] = []
"""What the process that others are forked from imports when it begins."""


@cache
def _context() -> BaseContext:
    """Workers are forked from a process that has imported what they need, which takes seconds each.

    Not so on macOS, whose libraries cannot be forked, nor where that process has no place to be asked for them at.
    """
    can = sys.platform == "linux" and len(os.fsencode(tempfile.gettempdir())) <= LONGEST
    return multiprocessing.get_context("forkserver" if can else "spawn")


def ahead(modules: Sequence[str]) -> None:
    """Begin to import modules in the process that others are forked from; once it is there, later ones are ignored."""
    context = _context()
    if context.get_start_method() == "forkserver":
        IMPORTED.extend(modules)
        context.set_forkserver_preload(IMPORTED)
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
    """So many processes, each begun when there is a task for it, for one stream of tasks at a time.

    They end at once when this process ends them or is killed, for they see the other end of a pipe close that it alone
    holds.

    Args:
        jobs: How many, at most.
    """

    _kept: ClassVar["Processes | None"] = None
    living: ClassVar[set["Processes"]] = set()

    def __init__(self, jobs: int) -> None:
        self._like = jobs, dict(os.environ)
        self._theirs, self._ours = Pipe(duplex=False)
        begun: tuple[Any, ...] = self._theirs, {**os.environ, **ONE_THREAD}
        self._executor = ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_serve, initargs=begun)
        # A process that multiprocessing itself began waits for its own before anything else is told that it ends.
        self._end = Finalize(None, self._ended, exitpriority=0)
        self.living.add(self)

    @classmethod
    def taken(cls, jobs: int) -> "Processes":
        """Those that are kept, if they are as many, in the same environment, and one answers; or else new ones."""
        kept, cls._kept = cls._kept, None
        if kept is not None:
            if kept._like == (jobs, dict(os.environ)):
                with suppress(BrokenProcessPool):
                    kept.submit(abs, 0).result()
                    return kept
            kept.end()
        return cls(jobs)

    def keep(self) -> None:
        """For the next who takes some: they have nothing to do any more."""
        before, Processes._kept = Processes._kept, self
        if before is not None:
            before.end()

    def end(self) -> None:
        """End them, whatever they do; nothing happens in a process that was forked from the one that began them."""
        self._end()

    def inherited(self) -> None:
        """Let go of them in a process that was forked from the one that began them, and with which they end."""
        self._ours.close()
        Processes._kept = None

    def _ended(self) -> None:
        self.living.discard(self)
        self._ours.close()
        self._theirs.close()
        # Waited for, which is a moment: Python would wake a thread that is about to close what it is woken by.
        self._executor.shutdown(cancel_futures=True)

    def submit(self, function: Callable[[Item], Answer], item: Item) -> "Future[bytes]":
        """The promise of a function of an item; `opened` gives what comes of it.

        Raises:
            BrokenProcessPool: If one of the processes was killed.
        """
        with _starting():
            return self._executor.submit(_answer, _Task(function, item))


def _end_all() -> None:
    for one in list(Processes.living):
        one.end()


# Before Python waits for its threads, of which one waits for every task that is under way.
getattr(threading, "_register_atexit")(_end_all)  # noqa: B009

INHERITED: list[Processes] = []
"""Of the process that this one was forked from; what is thrown away would reach for its threads."""


def _inherit() -> None:
    """A process that is forked from this one begins workers of its own."""
    for one in Processes.living:
        one.inherited()
    INHERITED.extend(Processes.living)
    Processes.living.clear()
    server: Any = getattr(forkserver, "_forkserver", None)
    if server is not None and server._forkserver_pid is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_pid = server._forkserver_address = server._forkserver_alive_fd = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit)


class _Task:
    """Pickled when its turn comes, lest all that waits lie in memory twice; bytes when it arrives.

    Neither it nor what comes of it is opened by the executor, which takes what cannot be for a process that was killed.
    """

    def __init__(self, function: Callable[[Item], Answer], item: Item) -> None:
        self._content = function, item

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        return bytes, (_pickled(self._content),)


def _pickled(what: object) -> bytes:
    """So that a notebook's classes travel."""
    return pickle.dumps(joblib.wrap_non_picklable_objects((what,), keep_wrapper=False))


def _unpickled(pickled: bytes) -> Any:
    return pickle.loads(pickled)[0]  # noqa: S301 (from this process or its workers)


def _answer(task: Any) -> bytes:
    try:
        function, item = _unpickled(task)
        return _pickled((function(item), None))
    except BaseException as error:
        with suppress(Exception):
            error.add_note(f"in a worker:\n{traceback.format_exc()}")
        return _raised(error)


def _raised(error: BaseException) -> bytes:
    with suppress(Exception):  # whatever a stranger's does when it is pickled, or made again
        pickled = _pickled((None, error))
        if type(_unpickled(pickled)[1]) is type(error):
            return pickled
    return _pickled((None, HpoBenchError(in_words(error))))


def opened(pickled: bytes) -> Any:
    """What came of a task.

    Raises:
        BaseException: What the task raised, or its kind and words in an `HpoBenchError` where it cannot be sent.
    """
    answer, error = _unpickled(pickled)
    if error is not None:
        raise error
    return answer


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
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield  # Others must not touch signals, and Windows has no masks; `_serve` does as much a moment later.
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
