"""Work of this machine's processes."""

import multiprocessing
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpo_bench.errors import HpoBenchError
from hpo_bench.workers.processes import Processes, ahead, one_thread, opened
from hpo_bench.workers.protocol import RETRIES, Answer, Item

WORTH_WORKERS = 4
"""Fewer small tasks than this are done before a worker has started."""


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine; a single job works in this process.

    Attributes:
        jobs: How many.
    """

    jobs: int

    def ahead(self, modules: Sequence[str]) -> None:
        """See `Workers`: for the first that ask, and on Linux; all others import for themselves."""
        if self.jobs > 1 and not multiprocessing.current_process().daemon:
            ahead(modules)

    def stream(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """See `Workers`.

        A killed process costs the unfinished tasks of all processes, up to `jobs` of them, as the whole pool breaks;
        a new one does them again. A single job works in this very process, and a kill ends both; so do several in a
        daemonic process, which may begin no other. Several begin at once, and go on whether or not anybody asks for
        answers, until the stream is closed or this process ends.
        """
        if self.jobs == 1 or multiprocessing.current_process().daemon:
            return (function(item) for item in items)
        answers = self._answers(function, dict(enumerate(items)))
        next(answers)
        return answers

    def _answers(self, function: Callable[[Item], Answer], left: dict[int, Item]) -> Generator[Any]:
        """None when the work has begun; then the answers."""
        lost, processes = 0, Processes.taken(self.jobs)
        try:
            futures = _submitted(processes, function, left)
            yield None
            while left:
                broken: BrokenProcessPool | None = None
                for future in as_completed(futures):
                    try:
                        pickled = future.result()
                    except BrokenProcessPool as error:
                        broken = error
                    else:
                        lost = 0
                        answer = opened(pickled)
                        del left[futures.pop(future)]
                        yield answer
                if left:
                    lost += 1
                    if lost > RETRIES:
                        raise HpoBenchError(
                            "worker processes are killed again and again, perhaps for want of memory (try --jobs 1); "
                            "what is finished and stored is kept, and the same command goes on from there"
                        ) from broken
                    processes.end()
                    processes = Processes.taken(self.jobs)
                    futures = _submitted(processes, function, left)
        finally:
            if left:  # Nobody waits for the rest.
                processes.end()
            else:
                processes.keep()


def _submitted(
    processes: Processes, function: Callable[[Item], Answer], items: Mapping[int, Item]
) -> dict[Future[bytes], int]:
    """The place of each item by what is promised of it; whoever is free takes the next."""
    futures = dict[Future[bytes], int]()
    with suppress(BrokenProcessPool):  # which those before it say as well
        for place, item in items.items():
            futures[processes.submit(function, item)] = place
    return futures


def each(function: Callable[[Item], Answer], items: Sequence[Item], *, jobs: int) -> list[Answer]:
    """The function of every item, in order.

    Args:
        function: Importable, so that workers find it.
        items: Its arguments.
        jobs: Worker processes of this machine.

    Raises:
        HpoBenchError: If workers are killed again and again.
    """
    return begin(function, items, jobs=jobs)()


def begin(function: Callable[[Item], Answer], items: Sequence[Item], *, jobs: int) -> Callable[[], list[Answer]]:
    """Begin with the function of every item, so that this process may do something else meanwhile.

    Args:
        function: Importable, so that workers find it.
        items: Its arguments.
        jobs: Worker processes of this machine. A single job, or few items, are done when they are asked for.

    Returns:
        What waits for all of them and gives them in order, as `each` does; to be called once.
    """
    workers = Local(jobs if len(items) >= WORTH_WORKERS else 1)
    workers.ahead([getattr(function, "func", function).__module__])  # of a partial's function
    stream = workers.stream(partial(_alone, function), list(enumerate(items)))

    def wait() -> list[Answer]:
        answers = dict(stream)
        return [answers[place] for place in range(len(items))]

    return wait


def _alone(function: Callable[[Item], Answer], numbered: tuple[int, Item]) -> tuple[int, Answer]:
    with one_thread():
        return numbered[0], function(numbered[1])
