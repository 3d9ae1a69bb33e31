"""Running something in a process of its own that is killed, by SIGKILL, at a moment that a test chooses."""

import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import Any, NoReturn

import cloudpickle
import pytest

from hpo_bench.workers.processes import IMPORTED

LIMIT = 120.0
# A server without threads forks them: torch's and OpenMP's pools do not outlive a fork of this process. Python has one,
# which workers of other tests may begin.
_SERVER = multiprocessing.get_context("forkserver")
IMPORTED.extend(["hpo_bench.merging.loaded", "transformers.models.llava.modeling_llava"])
_SERVER.set_forkserver_preload(IMPORTED)


def die(*_: Any, **__: Any) -> NoReturn:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def before(_function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is killed when it is called."""
    return die


def after(function: Callable[..., Any], *, calls: int = 1) -> Callable[..., Any]:
    """A function that is killed when it has done its work for the n-th time."""
    done = 0

    def run(*arguments: Any, **options: Any) -> Any:
        nonlocal done
        result = function(*arguments, **options)
        done += 1
        return die() if done == calls else result

    return run


def run_killed(
    run: Callable[[], object],
    target: str,
    deadly: Callable[[Callable[..., Any]], Callable[..., Any]],
    *,
    limit: float = LIMIT,
) -> None:
    """Run something in a process of its own in which one function is deadly.

    Args:
        run: What to run; may return the exception that ended it.
        target: The function, as "module.name" or "module.Class.name".
        deadly: Makes the deadly one of it.
        limit: Seconds that it may take.

    Raises:
        AssertionError: If it ended before it was killed, with what it raised.
    """
    for function in (run, deadly):
        module = sys.modules.get(getattr(function, "__module__", ""))
        if module is not None and "test_" in module.__name__:  # test modules cannot be imported by name
            cloudpickle.register_pickle_by_value(module)
    told, tells = _SERVER.Pipe(duplex=False)
    child = _SERVER.Process(target=_child, args=(cloudpickle.dumps((run, target, deadly)), tells))
    child.start()
    tells.close()
    child.join(limit)
    if child.is_alive():
        child.kill()
        child.join()
        raise AssertionError(f"still running after {limit:g} s")
    if child.exitcode != -signal.SIGKILL:
        raise AssertionError(f"not killed: {told.recv() if told.poll() else f'exit code {child.exitcode}'}")


def _child(pickled: bytes, tells: Connection) -> None:
    run, target, deadly = pickle.loads(pickled)  # noqa: S301 (this process's parent's)
    patch = pytest.MonkeyPatch()
    patch.setattr(target, deadly(resolve_name(target)))
    try:
        ended = run()
    except BaseException:
        tells.send(traceback.format_exc())
    else:
        tells.send("".join(traceback.format_exception(ended)) if isinstance(ended, BaseException) else "it ended well")
