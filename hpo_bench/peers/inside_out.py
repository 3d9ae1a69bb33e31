"""A search that owns its loop, turned inside out: it waits for each score in a thread of its own."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np

from hpo_bench.peers.base import global_generators, global_state, set_global_state
from optimizers.base import Point

Search = Callable[[Callable[[Point], float]], object]
"""Is given the objective, of a point of shape (dim,), and calls it until it is done."""


class _Abandoned(BaseException):
    """Unwinds a search that nobody asks any more; not an Exception, so that no search swallows it."""


class InsideOut:
    """Runs a search until it wants a score, hands out the point, and goes on when it is told.

    Only one of the two threads is ever awake, so a run is as deterministic as the search. The global generators, which
    such searches draw from, are the search's own while it is awake.

    Args:
        search: The search; called again, from the beginning, whenever it returns.
        key: Seeds the global generators of the search.
    """

    def __init__(self, search: Search, *key: int) -> None:
        self._search = search
        self._scores: SimpleQueue[float | None] = SimpleQueue()
        self._points: SimpleQueue[Point | BaseException] = SimpleQueue()
        with global_generators(*key):
            self._state: tuple[Any, ...] = global_state()
        self._thread: threading.Thread | None = None

    def ask(self) -> Point:
        """The next point, of shape (dim,).

        Raises:
            Exception: Whatever the search raises.
        """
        outside = global_state()
        set_global_state(self._state)
        try:
            if self._thread is None:
                # A daemon, so that a search that is never told again keeps no process alive.
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            else:
                self._scores.put(self._told)
            found = self._points.get()
        finally:
            self._state = global_state()
            set_global_state(outside)
        if isinstance(found, BaseException):
            raise found
        return found

    def tell(self, score: float) -> None:
        """The score of the point handed out last; the search learns of it when it is asked again."""
        self._told = score

    def close(self) -> None:
        """End the search and its thread; it cannot be asked again."""
        if self._thread is not None and self._thread.is_alive():
            self._scores.put(None)
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                self._search(self._objective)
        except _Abandoned:
            pass
        except BaseException as error:
            self._points.put(error)

    def _objective(self, x: Point) -> float:
        self._points.put(np.array(x, dtype=np.float64))
        score = self._scores.get()
        if score is None:
            raise _Abandoned
        return score
