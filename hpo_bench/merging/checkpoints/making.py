"""Making transformers' models of configurations: once for each, and without its warnings."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WrittenConfig:
    """A configuration as it is written, by which what was made of it once is known.

    Attributes:
        config: transformers' own.
        kind: Its class.
        text: All of it, as JSON.
    """

    config: Any = field(repr=False, compare=False)
    kind: type
    text: str

    @classmethod
    def of(cls, config: Any) -> "WrittenConfig":
        """A configuration with what tells it from others."""
        return cls(config, type(config), json.dumps(config.to_dict(), sort_keys=True, default=str))

    @property
    def values(self) -> dict[str, Any]:
        """Plain values by name, the caller's own."""
        return json.loads(self.text)


@contextmanager
def quiet() -> Iterator[None]:
    """Let transformers say nothing but errors; it warns of what one class makes of another's numbers."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
