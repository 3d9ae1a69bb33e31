"""Ctrl-C: once to end after what is running, twice to end at once."""

import signal
import threading
from types import FrameType
from typing import Self


class Interrupt:
    """While the block runs, the first interrupt (or SIGTERM, as a queue sends it) only asks for an end.

    The second raises `KeyboardInterrupt`. No signal reaches a thread other than the main
    one, where nothing changes.

    Attributes:
        requested: Whether somebody asked.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for which in (signal.SIGINT, signal.SIGTERM):
            self._before[which] = signal.signal(which, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)  # pyright: ignore[reportArgumentType]

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
