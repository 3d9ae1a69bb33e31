"""A progress bar with the time left; plain lines where the output is no terminal."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from hpo_bench.display.words import counted

REFRESH_SECONDS = 0.25
LINE_SECONDS = 10.0

Reading = Callable[[], tuple[int, float]]
"""Gives the evaluations and the work done so far."""


class Progress:
    """Shows how many evaluations are made.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def watch(
        self, done: NDArray[np.int64], *, runs: int, evaluations: Sequence[int], costs: Sequence[float]
    ) -> Iterator[None]:
        """Follow groups of runs while the block runs.

        Args:
            done: Evaluations made in each group, changed by others, shape (groups,).
            runs: In all groups.
            evaluations: To be made in each.
            costs: What each takes, in evaluations of a cheap optimiser.
        """
        weight = np.divide(costs, evaluations)
        self._console.print(f"{counted(runs, 'run')} to make, {counted(sum(evaluations), 'evaluation')}")
        stop = threading.Event()
        follow = self._draw if self._console.is_terminal else self._print

        def read() -> tuple[int, float]:
            return int(done.sum()), float(weight @ done)

        thread = threading.Thread(target=follow, args=(stop, read, sum(evaluations), float(sum(costs))), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _draw(self, stop: threading.Event, read: Reading, evaluations: int, total: float) -> None:
        columns = (
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[made]:,} of {task.fields[evaluations]:,} evaluations"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task("", total=total, made=0, evaluations=evaluations)
            while True:
                last = stop.wait(REFRESH_SECONDS)
                made, work = read()
                bar.update(task, completed=work, made=made)
                if last:
                    return

    def _print(self, stop: threading.Event, read: Reading, evaluations: int, total: float) -> None:
        start = time.monotonic()
        # Workers take seconds to start; counted as work they would spoil the first estimates.
        began: float | None = None
        shown = start
        while not stop.wait(REFRESH_SECONDS):
            made, work = read()
            now = time.monotonic()
            if began is None and work:
                began = now
            if now - shown >= LINE_SECONDS:
                shown = now
                left = f", about {(now - began) * (total / work - 1):.0f} s left" if began else ""
                line = f"{made:,} of {counted(evaluations, 'evaluation')} after {now - start:.0f} s{left}"
                self._console.print(line)
