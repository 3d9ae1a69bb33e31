"""What there is to ask of workers, wherever they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

RETRIES = 3
"""How often in a row a task may lose its worker before that is an error."""


class Workers(Protocol):
    """Whoever does the work."""

    @property
    def jobs(self) -> int:
        """How many tasks are done at a time."""
        ...

    def ahead(self, modules: Sequence[str]) -> None:
        """Begin to import what tasks will need, where that can be done while this process does something else.

        Args:
            modules: Of this package or others; whatever is not found is left out.
        """
        ...

    def stream(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """The function of every item, in the order in which they are finished.

        A worker that is killed costs its unfinished task, and what else it takes down with it (each kind says what);
        all of it is done again from its beginning, and finished tasks are safe.

        Args:
            function: Importable, so that workers find it; raises only what is the task's own fault.
            items: Its arguments, costliest first.

        Raises:
            HpoBenchError: If workers are killed again and again.
        """
        ...
