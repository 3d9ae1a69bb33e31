"""Checks of a card's keys whose messages name file and key and say what to do."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from landscapes.errors import InvalidCardError
from landscapes.written import read_yaml
from surrogates.nearest import did_you_mean


def wrong(path: Path, key: str, problem: str) -> InvalidCardError:
    """An error about one key."""
    return InvalidCardError(f"{path}, key {key!r}: {problem}")


def read_mapping(path: Path, *, required: Iterable[str], optional: Iterable[str]) -> dict[str, Any]:
    """The keys of a YAML file, all required ones there and none unknown."""
    content = read_yaml(path, wrong=InvalidCardError)
    if not isinstance(content, dict):
        raise InvalidCardError(f"{path} must hold keys and values, not {type(content).__name__}")
    required, known = list(required), [*required, *optional]
    if missing := [key for key in required if key not in content]:
        raise InvalidCardError(f"{path} lacks {', '.join(map(repr, missing))}; add them")
    for key in content:
        if key not in known:
            raise wrong(path, key, f"unknown; {did_you_mean(key, known).strip() or 'remove it'}")
    return content


def text(path: Path, key: str, value: object, *, may_be_empty: bool = False) -> None:
    """Refuse anything but words."""
    if not isinstance(value, str) or not (value or may_be_empty):
        raise wrong(path, key, f"must be text, not {value!r}")


def is_slug(value: str) -> bool:
    """Whether it makes a good folder name on every system."""
    return re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", value) is not None


def slug(path: Path, key: str, value: str) -> None:
    """Refuse what makes no good folder name."""
    if not is_slug(value):
        raise wrong(path, key, f"must be letters, digits, hyphens, dots and underscores, not {value!r}")


def one_of(path: Path, key: str, value: object, choices: Sequence[str], *, advice: str = "") -> None:
    """Refuse what is not on the list."""
    if value not in choices:
        raise wrong(path, key, f"must be {' or '.join(choices)}, not {value!r}{f'; {advice}' if advice else ''}")


def flag(path: Path, key: str, value: object) -> None:
    """Refuse anything but true and false."""
    if not isinstance(value, bool):
        raise wrong(path, key, f"must be true or false, not {value!r}")


def mapping(path: Path, key: str, value: object) -> None:
    """Refuse anything but keys and values."""
    if not isinstance(value, Mapping):
        raise wrong(path, key, f"must hold keys and values, not {value!r}")


def nested(path: Path, key: str, value: Mapping[str, object]) -> None:
    """Refuse a mapping with an entry that is not a mapping itself."""
    for inner, entry in value.items():
        mapping(path, f"{key}.{inner}", entry)


def counts(path: Path, key: str, value: Mapping[str, Mapping[str, int]], split: str | None) -> None:
    """Refuse counts that are not positive integers, or miss the split that is tuned on (if any is)."""
    nested(path, key, value)
    if split is not None and split not in value:
        raise wrong(path, key, f"lacks the tuning split {split!r}; say how many examples of each category it has")
    for name, categories in value.items():
        for category, count in categories.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise wrong(path, f"{key}.{name}.{category}", f"must be an integer of at least 1, not {count!r}")


def day(path: Path, key: str, value: str) -> None:
    """Refuse anything but YYYY-MM-DD."""
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        raise wrong(path, key, f"must be a day as YYYY-MM-DD, not {value!r}") from None
