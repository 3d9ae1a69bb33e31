"""A bar for work that is done step by step; a line now and then where the output is no terminal."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hpo_bench.display.printing import escaped

LINE_SECONDS = 10.0
Told = Callable[[int, int, str], None]
"""Is called, as `Steps.show` is, with steps done, steps in all, and a word on what is under way."""


class Steps:
    """Shows steps done, steps in all, the time left and a word on the last one.

    Args:
        console: Where to show it.
        title: What is being done.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[word]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(escaped(title), total=None, word="")
        self._title = title
        self._printed = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, done: int, total: int, word: str, title: str | None = None) -> None:
        """Tell how far the work is.

        Args:
            done: Steps done.
            total: Steps in all.
            word: About the last step.
            title: What is being done, if that changed.
        """
        if title is not None and title != self._title:
            self._title = title
            self._bar.reset(self._task, description=escaped(title))
        self._bar.update(self._task, completed=done, total=total, word=escaped(word))
        now = time.monotonic()
        if not self._console.is_terminal and (done == total or now - self._printed > LINE_SECONDS):
            self._printed = now
            self._console.print(f"{self._title}: {done} of {total}, {word}")
