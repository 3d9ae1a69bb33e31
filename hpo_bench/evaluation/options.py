"""Options from a configuration file, read one by one and checked."""

import math
import re
import sys
from collections.abc import Collection, Mapping
from typing import Any

from hpo_bench.display.printing import without_passwords
from hpo_bench.errors import UsageError
from surrogates.nearest import offer

_SHOWN = 80
_SECRET = re.compile(r"(^|[_.-]|api)(key|token|secret|password|passwd|pwd|authorization|credentials?)$", re.IGNORECASE)


class Options:
    """A section of a configuration file.

    Args:
        values: The section.
        source: Where it stands, for messages.
    """

    def __init__(self, values: Mapping[str, Any], *, source: str) -> None:
        self._values = dict(values)
        self._source = source
        self._known: list[str] = []

    def word(self, key: str, default: str | None, *, one_of: Collection[str] = ()) -> str:
        """A text; without a default it must be there.

        Raises:
            UsageError: If it is missing, no text, or not one of those allowed.
        """
        value = self._take(key, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, f"must be text, not {shown(value)}")
        if one_of and value not in one_of:
            raise self.wrong(key, f"is {shown(value)}; {offer(value, one_of)}")
        return value

    def whole(self, key: str, default: int, *, least: int) -> int:
        """A whole number.

        Raises:
            UsageError: If it is none, or too small.
        """
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= sys.maxsize:
            raise self.wrong(key, f"must be a whole number of at least {least}, not {shown(value)}")
        return value

    def number(self, key: str, default: float | None, *, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number; without a default it must be there.

        Raises:
            UsageError: If it is missing, none, or out of range.
        """
        value = self._take(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not max(least, -sys.float_info.max) <= value <= min(most, sys.float_info.max)  # nor infinite, nor NaN
        ):
            bounds = f" from {least:g}" * (least > -math.inf) + f" to {most:g}" * (most < math.inf)
            raise self.wrong(key, f"must be a finite number{bounds}, not {shown(value)}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false.

        Raises:
            UsageError: If it is something else.
        """
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"must be true or false, not {shown(value)}")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        """A section within the section; empty where there is none.

        Raises:
            UsageError: If it is something else.
        """
        value = self._take(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, f"must be a mapping, not {shown(value)}")
        return dict(value)

    def words(self, key: str, default: Collection[str] | None) -> tuple[str, ...]:
        """A list of texts, or one text that stands for a list of one.

        Raises:
            UsageError: If it is missing or something else.
        """
        value = self._take(key, default)
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list | tuple) or not all(isinstance(one, str) and one for one in listed):
            raise self.wrong(key, f"must be a list of texts, not {shown(value)}")
        if default is None and not listed:
            raise self.wrong(key, "must be at least one text, not an empty list")
        return tuple(listed)

    def has(self, key: str) -> bool:
        """Whether the section says anything about an option, which it may."""
        self._known.append(key)
        return key in self._values

    def known(self, key: str) -> None:
        """Let a key stand that is read elsewhere."""
        self._known.append(key)

    def finish(self) -> None:
        """Refuse what nobody asked for.

        Raises:
            UsageError: If the section has a key that was never read; the message names the nearest that was.
        """
        for key in self._values:
            if key not in self._known:
                raise UsageError(f"{self._source}: there is no option {key!r}; {offer(key, self._known)}")

    def wrong(self, key: str, what: str) -> UsageError:
        """The error that says where a value makes no sense."""
        return UsageError(f"{self._source}: {key} {what}")

    def _take(self, key: str, default: Any) -> Any:
        self._known.append(key)
        value = self._values.get(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        return value


def shown(value: object) -> str:
    """A value as messages show it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of thousands of digits
        return "an integer of thousands of digits"
    except RecursionError:
        return "something nested too deeply"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def without_secrets(value: Any) -> Any:
    """The same with "***" for what stands under keys such as `api_key`, `token` or `password`, at any depth.

    So do users and passwords of URLs, wherever a text has some.
    """
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, Mapping):
        return {
            key: "***" if isinstance(key, str) and _SECRET.search(key) else without_secrets(inner)
            for key, inner in value.items()
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list | tuple) else value
