"""A serving engine's process: found, started, spoken to in lines of JSON, and ended with whoever started it."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from hpo_bench.errors import EvaluationError, UsageError

PYTHON = "HPO_BENCH_VLLM"
"""The environment variable that names a Python which has vLLM."""
PACKAGE = "vllm"
SERVER = Path(__file__).with_name("serve_vllm.py")
_TAIL = 4000
_INSTALL = (
    "install it beside hpo-bench (`pip install 'hpo-bench[vllm]'`), or in an environment of its own and name that "
    f"one's Python as `python` under `evaluation` or in {PYTHON}"
)


def find_python(named: str | None, folder: Path) -> str:
    """The Python that runs vLLM: the one that is named, or the variable's, or this one.

    Args:
        named: Path, from the folder; None where there is none.
        folder: Of the pair.

    Raises:
        UsageError: If it is none, or has no vLLM.
    """
    for what, path in (("`python` under `evaluation`", named), (PYTHON, os.environ.get(PYTHON))):
        if path:
            found = folder / Path(path).expanduser()
            if not (found.is_file() and os.access(found, os.X_OK)):
                raise UsageError(f"{what} is {path!r}, which is no program here; {_INSTALL}")
            if not _has(PACKAGE, str(found)):
                raise UsageError(f"{what} is {path!r}, which is no Python that has {PACKAGE}; {_INSTALL}")
            return str(found)
    if find_spec(PACKAGE) is None:
        raise UsageError(f"there is no {PACKAGE} in this environment; {_INSTALL}")
    return sys.executable


@cache
def _has(package: str, python: str) -> bool:
    """Whether another Python finds a package; it is not imported, which takes seconds."""
    asked = f"import sys, importlib.util as u; sys.exit(u.find_spec({package!r}) is None)"
    try:
        return not subprocess.run(  # noqa: S603, the Python that the user names
            [python, "-c", asked], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            env={**os.environ, "PYTHONPATH": ""},
        ).returncode  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False


class EngineProcess:
    """A serving engine in a process of its own, and in a group of its own.

    Args:
        python: Who runs it.
        seconds: How long it may take to answer, by default.
        descriptors: What it inherits.
        environment: Variables beside ours.
    """

    def __init__(
        self,
        python: str,
        *,
        seconds: float,
        descriptors: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._seconds = seconds
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, as long as the process
        self._process = subprocess.Popen(  # noqa: S603, our own server
            [python, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints,
            encoding="utf-8", pass_fds=descriptors, start_new_session=True,
            env={**os.environ, "PYTHONPATH": "", **(environment or {})},
        )  # fmt: skip
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read, args=(self._process.stdout, self._answers), daemon=True).start()
        self._end = weakref.finalize(self, _kill, self._process)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._end.alive and self._process.poll() is None

    def call(self, *, within: float | None = None, **message: Any) -> Any:
        """Send a message and wait for the answer.

        Raises:
            UsageError: If what is asked for cannot be had here; it is then ended.
            EvaluationError: If it fails, dies, or takes too long; in the two latter cases it is ended.
        """
        limit = self._seconds if within is None else within
        try:
            if self._process.stdin is None:
                raise OSError("its input is closed")
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=limit)
        except queue.Empty as error:
            self.end()
            raise EvaluationError(f"vLLM took longer than {limit:g} s", kind="timeout") from error
        except OSError:
            line = ""
        if not line:
            code = self._process.wait()
            last = self._last_words()
            self.end()
            how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            raise EvaluationError(f"vLLM's process ended {how}: {last}", kind="worker-died")
        answer = json.loads(line)
        if "refused" in answer:
            self.end()
            raise UsageError(answer["refused"])
        if "error" in answer:
            raise EvaluationError(f"vLLM: {answer['error']}", kind=_kind(answer["error"]))
        return answer["answer"]

    def end(self) -> None:
        """End it at once, with all that it started."""
        self._end()

    def _last_words(self) -> str:
        size = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, size - _TAIL))
        lines = self._complaints.read().decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def _kind(error: str) -> str:
    return "out-of-memory" if "out of memory" in error.lower() else "raised"


def _read(answers: IO[str] | None, into: "queue.Queue[str]") -> None:
    if answers is not None:
        for line in answers:
            into.put(line)
    into.put("")


def _kill(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
