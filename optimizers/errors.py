"""What can go wrong in this package, as one tree, and how to say what others' code raised."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

OURS = ("optimizers", "surrogates", "landscapes", "hpo_bench")
"""What is raised in these packages is no stranger's fault."""


class OptimizerError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidSettingError(OptimizerError, ValueError):
    """A dimension, budget, seed or option is outside what the optimiser accepts."""


class ProtocolError(OptimizerError, RuntimeError):
    """Ask and tell came in an order, or with a point, that the protocol does not allow."""


class BudgetExhaustedError(ProtocolError):
    """More points were asked for than the budget holds."""


class UnknownOptimizerError(OptimizerError, KeyError):
    """No optimiser has that name."""

    def __str__(self) -> str:
        return str(self.args[0])


def in_words(error: BaseException) -> str:
    """An exception's kind and what it says; a stranger's may have no words that can be had."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def is_ours(code: type | Callable[..., Any]) -> bool:
    """Whether a class or function comes with this project."""
    return str(code.__module__).partition(".")[0] in OURS


def traced(error: BaseException, code: type | Callable[..., Any]) -> str:
    """An exception in words, and where in somebody's code it was raised: `KeyError: 'lr' (mine.py, line 12)`.

    Args:
        error: With its traceback.
        code: The class or function that was called; the line is the last one in its own file, or in that of a class
            that it inherits from, where there is one.
    """
    frames = traceback.extract_tb(error.__traceback__)
    around = [one for one in getattr(code, "__mro__", (code,)) if one.__module__ != "builtins" and not is_ours(one)]
    files = {getattr(sys.modules.get(one.__module__), "__file__", None) for one in around}
    files |= {one.__code__.co_filename for one in around if isinstance(one, FunctionType)}
    own = [frame for frame in frames if frame.filename in files] or list(frames)
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{in_words(error).splitlines()[0]}{place}"
