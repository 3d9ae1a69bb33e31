"""Files that somebody wrote: text, JSON, JSON lines and YAML, of plain values alone."""

from landscapes.written.plain import as_plain
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
from landscapes.written.records import Count, Number, Text, Texts, parse_record, shown

__all__ = [
    "TEXT_LIMIT",
    "Count",
    "Number",
    "Text",
    "Texts",
    "as_plain",
    "check_regular",
    "parse_json",
    "parse_record",
    "read_bytes",
    "read_json",
    "read_json_lines",
    "read_text",
    "read_yaml",
    "shown",
]
