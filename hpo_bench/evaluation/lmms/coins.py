"""The coins that tasks toss for unclear answers: from Python's global generator, which all threads share."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_DRAWS = ("random", "getrandbits", "seed")
"""What all of the generator's methods draw by, and what some tasks call first."""


class Coins:
    """Lets coins fall the same way for a document every time, in whatever thread it is scored beside others."""

    def __init__(self) -> None:
        self._thread = threading.local()

    @contextmanager
    def dealt(self) -> Iterator[None]:
        """Stand before the global generator for a while; who scores no document draws from it as ever."""
        generator: Any = random._inst  # pyright: ignore[reportAttributeAccessIssue] - its methods are the functions
        usual = {name: getattr(generator, name) for name in _DRAWS}
        for name in _DRAWS:
            # An attribute of the instance hides the class's method.
            generator.__dict__[name] = self._draw(name, usual[name])
            setattr(random, name, generator.__dict__[name])
        try:
            yield
        finally:
            for name in _DRAWS:
                del generator.__dict__[name]
                setattr(random, name, usual[name])

    @contextmanager
    def of(self, document: str) -> Iterator[None]:
        """Give this thread a generator of its own, while they are `dealt`.

        Args:
            document: The id of what is scored, which seeds it.
        """
        self._thread.own = random.Random(document)  # noqa: S311, tasks toss coins
        try:
            yield
        finally:
            self._thread.own = None

    def _draw(self, name: str, usual: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*args: Any) -> Any:
            own = getattr(self._thread, "own", None)
            return usual(*args) if own is None else getattr(own, name)(*args)

        return draw
