"""Peers that cannot live beside the others: an environment of their own, and a process in it that speaks JSON."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from hpo_bench.display.printing import say
from hpo_bench.errors import UsageError
from hpo_bench.files import write
from landscapes.written import parse_json, read_json

SERVERS = Path(__file__).parent / "servers"
READY = "ready.json"


@dataclass(frozen=True, slots=True)
class Apart:
    """A virtual environment with a peer in it, made once and kept in the user's cache.

    Attributes:
        name: Of the peer; also of its server, `servers/serve_<name>.py`, which that environment's Python runs and which
            imports nothing of ours.
        requirements: What is installed, pinned where it must be; other requirements are another environment.
    """

    name: str
    requirements: Sequence[str]

    @property
    def folder(self) -> Path:
        """Where the environment is, or will be."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        text = json.dumps([*self.requirements, sys.version_info[:2]])
        return cache / "hpo-bench" / "peers" / f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / "python"

    @property
    def ready(self) -> bool:
        """Whether it was made to the end, and the Python that it was made with is still there."""
        return (self.folder / READY).exists() and self.python.exists()

    def make(self) -> None:
        """Make the environment, unless it is there; several processes may ask at once.

        Raises:
            UsageError: If it cannot be installed.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.folder}.lock"):
            if self.ready:
                return
            say(f"making an environment for {self.name} in {self.folder}; it takes some minutes, once", err=True)
            try:
                self._install()
            except BaseException:  # what is half made must not look like one that can be used
                shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def _install(self) -> None:
        venv.EnvBuilder(with_pip=True, clear=True).create(self.folder)
        command = [str(self.python), "-m", "pip", "install", "--quiet", *self.requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
            raise UsageError(
                f"{self.name} cannot be installed in an environment of its own: {last}; leave it out, or mend that and "
                "ask for it again"
            )
        listed = subprocess.run(  # noqa: S603
            [str(self.python), "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
        )
        versions = {one["name"].lower(): one["version"] for one in json.loads(listed.stdout)}
        write(self.folder / READY, json.dumps(versions))

    def version(self, package: str) -> str:
        """The version of a package in it.

        Raises:
            UsageError: If the environment was not made.
        """
        if not self.ready:
            raise UsageError(f"the environment of {self.name} is not made; `hpo-bench run -o {self.name}` makes it")
        content = read_json(self.folder / READY, wrong=UsageError)
        version = content.get(package.lower()) if isinstance(content, dict) else None
        if not isinstance(version, str):
            raise UsageError(
                f"{self.folder / READY} is damaged: it has no version of {package}; delete {self.folder}, and "
                f"`hpo-bench run -o {self.name}` makes it anew"
            )
        return version


class Server:
    """A peer's process.

    Args:
        apart: Its environment, made.

    Attributes:
        seconds: Of the processor that it has spent on messages so far.
    """

    def __init__(self, apart: Apart) -> None:
        self.seconds = 0.0
        self._name = apart.name
        self._process = subprocess.Popen(  # noqa: S603 (our own server)
            [str(apart.python), str(SERVERS / f"serve_{apart.name}.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        weakref.finalize(self, _end, self._process)

    def call(self, **message: Any) -> Any:
        """Send a message and wait for the answer.

        Raises:
            RuntimeError: If the process fails; with its own account of why.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError(f"the process of {self._name} cannot be spoken to")
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self._name} ended with exit status {self._process.wait()}")
        answer = parse_json(line, where=f"what the process of {self._name} says", wrong=RuntimeError)
        if not isinstance(answer, dict) or not ("error" in answer or {"answer", "seconds"} <= set(answer)):
            raise RuntimeError(f"the process of {self._name} says {line[:80]!r}, which is no answer")
        if "error" in answer:
            raise RuntimeError(f"{self._name}: {answer['error']}")
        self.seconds += answer["seconds"]
        return answer["answer"]


def _end(process: subprocess.Popen) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()  # It ends when nobody speaks to it any more.
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
