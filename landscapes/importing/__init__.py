"""A landscape from anybody's table of settings and scores."""

from landscapes.importing.landscape import default_name, import_table, remove
from landscapes.importing.reading import Reading, asks_for_log, parse_examples, parse_kinds, parse_space
from landscapes.importing.sweep import read_sweep

__all__ = [
    "Reading",
    "asks_for_log",
    "default_name",
    "import_table",
    "parse_examples",
    "parse_kinds",
    "parse_space",
    "read_sweep",
    "remove",
]
