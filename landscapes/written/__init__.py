"""Files that somebody wrote: text, JSON, JSON lines and YAML, of plain values alone."""

from landscapes.written.reading import (
    TEXT_LIMIT,
    check_regular,
    parse_json,
    read_bytes,
    read_json,
    read_json_lines,
    read_text,
    read_yaml,
)

__all__ = [
    "TEXT_LIMIT",
    "check_regular",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_json_lines",
    "read_text",
    "read_yaml",
]
