"""How this room words names, reasons and sizes."""

from collections.abc import Iterable


def some(names: Iterable[str], at_most: int = 3) -> str:
    """A few names, and how many more there are."""
    listed = sorted(names)
    if not listed:
        return "none"
    return ", ".join(listed[:at_most]) + (f" and {len(listed) - at_most} more" if len(listed) > at_most else "")


def first_line(error: BaseException) -> str:
    """What another library's exception says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def gib(count: float) -> str:
    """Bytes for people: "13.4 GiB", "3.1 MiB"."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.1f} KiB"
