"""The way in from a shell, and the one place where commands end that go wrong.

Nothing but the standard library is imported before `main` runs, so that a Ctrl-C finds it there.
"""

import atexit
import gc
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

DEBUG = "HPO_BENCH_DEBUG"
"""Set to 1, it shows the traceback of whatever goes wrong."""
REFUSED, INTERRUPTED = 2, 130
"""Exit codes: the command cannot do what was asked; it was interrupted. 1 is a command's own "no"."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line: whatever goes wrong ends in one line on standard error.

    Args:
        arguments: Without the program's name; by default those of this process.
    """
    ctrl_c = _CtrlC()
    atexit.register(gc.freeze)  # or Python ends with a search for garbage in all that was imported: a second or two
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
    except BaseException as error:
        code = _interrupted() if ctrl_c.came else _ended(error)
    sys.exit(code)


def __getattr__(name: str) -> object:
    """The tree of commands, which is imported when it is asked for."""
    if name in ("cli", "COMMANDS"):
        from hpo_bench.cli import tree

        return getattr(tree, name)
    raise AttributeError(name)


class _CtrlC:
    """Remembers that it came: an import that it breaks into may make another error of it, or none."""

    def __init__(self) -> None:
        self.came = False
        handler = signal.getsignal(signal.SIGINT)
        ours = isinstance(getattr(handler, "__self__", None), _CtrlC)  # of an earlier command of this process
        if ours or handler is signal.default_int_handler:  # else somebody ignores or handles it
            signal.signal(signal.SIGINT, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # whatever the terminal's encoding lacks

    from hpo_bench.cli.tree import run

    if sys.warnoptions or os.environ.get(DEBUG) == "1":
        return run(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for who writes code; what users need to know is said
        os.environ["PYTHONWARNINGS"] = "ignore"  # and so for workers, and for those who tidy up after a kill
        try:
            return run(arguments)
        finally:
            os.environ.pop("PYTHONWARNINGS", None)


def _interrupted() -> int:
    if hasattr(signal, "pthread_sigmask"):
        # It is ending. Blocked and not ignored: an interrupt that has passed through `exec`, as in imports, makes
        # Python end itself by that very signal, whatever became of the exception.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    _tell("interrupted; give the same command again to go on")
    return INTERRUPTED


def _ended(error: BaseException) -> int | str | None:
    if isinstance(error, KeyboardInterrupt):
        return _interrupted()
    if isinstance(error, SystemExit):
        return error.code
    if isinstance(error, BrokenPipeError):  # whoever reads, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    import click

    from hpo_bench.display.printing import in_a_line, publishable

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        return _interrupted()
    if os.environ.get(DEBUG) == "1":
        _tell(_traceback(error))
    _tell(f"error: {in_a_line(publishable(_said(error)))}")
    return REFUSED


def _said(error: BaseException) -> str:
    """What went wrong and what to do, of anything that can be raised."""
    import click

    from hpo_bench.cli.tree import explain

    if isinstance(error, click.UsageError):
        return explain(error)
    if isinstance(error, click.ClickException):
        return error.format_message()

    from hpo_bench.errors import HpoBenchError
    from landscapes.errors import LandscapeError
    from optimizers.errors import OptimizerError
    from surrogates.errors import SurrogateError

    if isinstance(error, HpoBenchError | LandscapeError | OptimizerError | SurrogateError):
        return str(error)
    if isinstance(error, OSError) and error.filename:  # a folder that cannot be written, a disk that is full
        what = f"{error.filename}: {error.strerror}"
        return f"{what}; check that the path is right, may be read and written, and has room"
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop from "):  # Python's up to 3.12
        return f"{str(error).removeprefix('Symlink loop from ')}: links lead in a circle; remove one of them"
    if isinstance(error, MemoryError):
        return "this machine has not enough memory for it; use fewer or smaller things at a time"
    name = type(error).__name__
    return f"not foreseen: {name}: {error}; please report it with its traceback, which is in {_log(error)}"


def _log(error: BaseException) -> str:
    """Where the traceback was written, in a file that only its owner can read."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="hpo-bench-error-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(_traceback(error))
    except OSError:
        return f"no file, as none can be written; {DEBUG}=1 shows it"
    return file.name


def _traceback(error: BaseException) -> str:
    import traceback

    from hpo_bench.display.printing import publishable

    return publishable("".join(traceback.format_exception(error)))


def _tell(line: str) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # closed, or nobody is left to read it
        pass
