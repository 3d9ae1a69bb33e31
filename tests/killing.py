"""Running something in a process of its own that is killed, by SIGKILL, at a moment that a test chooses."""

import os
import signal
import time
import warnings
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any, NoReturn

import pytest

LIMIT = 120.0


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


def killed(run: Callable[[], object], target: str, deadly: Callable[[Callable[..., Any]], Callable[..., Any]]) -> bool:
    """Run something in a forked process in which one function is deadly.

    Args:
        run: What to run.
        target: The function, as "module.name" or "module.Class.name".
        deadly: Makes the deadly one of it.

    Returns:
        Whether it was killed; False if it ended before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, of which none runs here
        child = os.fork()
    if child == 0:
        try:
            patch = pytest.MonkeyPatch()
            patch.setattr(target, deadly(resolve_name(target)))
            run()
        finally:
            os._exit(0)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"still running after {LIMIT} s")
