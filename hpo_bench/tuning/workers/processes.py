"""Workers as processes of this machine."""

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import psutil

from hpo_bench.display.printing import publishable
from hpo_bench.errors import HpoBenchError, TuningError
from hpo_bench.evaluation import kill_with_parent
from hpo_bench.tuning.trial import Job
from hpo_bench.tuning.workers.base import Event, Opener, Worker, WorkerPool
from hpo_bench.workers import hidden_main
from optimizers.errors import in_words

LOG_TAIL = 4000
"""How much of a dead worker's log goes into the log of its trial, in bytes."""
LAST_WORDS_SECONDS = 0.5
"""How long a worker that hangs may take to write down where."""


@dataclass(slots=True, kw_only=True)
class _Process(Worker):
    device: str
    process: SpawnProcess
    pipe: Any
    log: Path


class ProcessPool(WorkerPool[_Process]):
    """Processes of this machine, each with a session of its own.

    A process and not a thread, even for a single worker: an evaluator that hangs can be ended, and one that takes its
    process down does not take the tuner with it. A worker ends by itself when the tuner is gone.

    Args:
        opener: Opens a session in each process.
        devices: A device for each worker; their number is that of the workers.
        logs: Folder for what the workers print.
    """

    def __init__(self, opener: Opener, *, devices: Sequence[str], logs: Path) -> None:
        self._opener = opener
        self._logs = logs
        # Fork would copy locks that threads of torch may hold.
        self._context = multiprocessing.get_context("spawn")
        logs.mkdir(parents=True, exist_ok=True)
        self._workers = [self._open(f"worker-{i + 1}", device) for i, device in enumerate(devices)]

    def submit(self, worker: str, job: Job, *, limit: float | None = None) -> None:
        """See `WorkerPool`."""
        one = self._give(worker, job, limit)
        # A worker that died while idle is noticed when its answer is waited for.
        with contextlib.suppress(OSError):
            one.pipe.send(job)

    def poll(self, timeout: float) -> Event | None:
        """The next thing that happened.

        Raises:
            TuningError: If a worker dies while it opens its session.
            HpoBenchError: If its session cannot be opened.
        """
        now = time.monotonic()
        until = min([now + timeout, *(worker.end for worker in self._workers)])
        woken = wait([worker.pipe for worker in self._workers], timeout=max(0.0, until - now))
        # What was answered counts, even where it came too late or was the last that a worker said.
        for worker in self._workers:
            if worker.pipe in woken:
                return self._heard(worker)
        for worker in self._workers:
            # A process of its evaluator's may hold the other end of its pipe, which then does not close.
            if worker.process.exitcode is not None and not worker.pipe.poll():
                return self._died(worker)
            if time.monotonic() > worker.end:
                return self._timed_out(worker)
        return None

    def stop(self) -> None:
        """End all workers at once."""
        for worker in self._workers:
            _kill(worker.process)
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def _heard(self, worker: _Process) -> Event | None:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return self._died(worker)
        if isinstance(message, HpoBenchError):
            self.stop()
            raise message
        return worker.answered(message)

    def _died(self, worker: _Process) -> Event | None:
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        if not worker.ready:
            self.stop()
            raise TuningError(f"{worker.name} ended {how} while it loaded the models; see {worker.log}")
        hint = "; the system may have run out of memory" if code == -signal.SIGKILL else ""
        return self._replace(worker, "worker-died", f"{worker.name} ended {how}{hint}")

    def _timed_out(self, worker: _Process) -> Event | None:
        if worker.process.pid is not None and hasattr(signal, "SIGUSR1"):
            os.kill(worker.process.pid, signal.SIGUSR1)  # writes down where it hangs
            if worker.pipe.poll(LAST_WORDS_SECONDS):  # it was answering
                return self._heard(worker)
        return self._replace(worker, "timeout", worker.too_long)

    def _replace(self, worker: _Process, kind: str, reason: str) -> Event | None:
        _kill(worker.process)
        worker.process.join()
        worker.pipe.close()
        place = self._workers.index(worker)
        tail = _tail(worker.log)
        self._workers[place] = self._open(worker.name, worker.device)
        return worker.lost(kind, reason, f"the end of {worker.log}:\n\n{tail}")

    def _open(self, name: str, device: str) -> _Process:
        log = self._logs / f"{name}.log"
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(self._opener, device, theirs, log), name=name, daemon=True)
        with hidden_main():
            process.start()
        theirs.close()
        return _Process(name=name, device=device, process=process, pipe=ours, log=log)


def _serve(opener: Opener, device: str, pipe: Connection, log: Path) -> None:
    """What a worker process does: open a session, then answer one job after the other."""
    if hasattr(os, "setsid"):
        os.setsid()  # what its evaluator starts is in its group, and ends with it
    # Ctrl-C reaches every process of the terminal, a queue's SIGTERM all of a job; when to end is the tuner's to say.
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, signal.SIG_IGN)
    output = log.open("a", buffering=1, encoding="utf-8")
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=output, all_threads=True)
    faulthandler.enable(output)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        session = opener(device)
        pipe.send(session.facts())
    except HpoBenchError as error:
        pipe.send(error)
        return
    except Exception as error:
        print(publishable(traceback.format_exc()), flush=True)  # noqa: T201, goes to the log
        pipe.send(TuningError(f"the models cannot be loaded: {in_words(error)}; the traceback is in {log}"))
        return
    with contextlib.suppress(EOFError, OSError):
        while True:
            job: Job = pipe.recv()
            print(f"--- {job.name}: {job.setting}", flush=True)  # noqa: T201, goes to the log
            pipe.send(session.run(job))


def _follow_parent() -> None:
    """End with the tuner, however it ended, even in the middle of a job, and take along what the evaluator started."""
    parent: Any = multiprocessing.parent_process()
    wait([parent.sentinel])
    _kill_started(psutil.Process())
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _kill(process: SpawnProcess) -> None:
    """End a worker, or what is left of one, and all that its evaluator started."""
    if process.pid is None:
        return
    with contextlib.suppress(psutil.Error):
        _kill_started(psutil.Process(process.pid))
    if hasattr(os, "killpg"):
        # Of a worker that died the group lives on in its children; of one that has only just begun there is none yet.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _kill_started(worker: psutil.Process) -> None:
    """End a worker's children and theirs, in groups of their own as well.

    `kill_with_parent.py` is left alone with what it runs: it ends by itself when its worker does, and clears up.
    """
    with contextlib.suppress(psutil.Error):
        for child in worker.children():
            with contextlib.suppress(psutil.Error):
                if str(kill_with_parent.__file__) not in child.cmdline():
                    _kill_started(child)
                    child.kill()


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-LOG_TAIL:].decode("utf-8", errors="replace")
    except OSError as error:
        return f"(cannot be read: {error.strerror})"
