"""A second file of annotations, matched with the examples by their ids."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.reading.columns import Columns
from hpo_bench.evaluation.reading.found_columns import FoundColumns
from hpo_bench.evaluation.reading.rows import FileRow, FlawError, is_nothing, text
from hpo_bench.evaluation.reading.tables import ExampleTable, open_table


class Annotations:
    """Rows of a second file, by the ids of the examples.

    Args:
        path: The examples, for messages.
        table: The same, beside which the file lies.
        columns: Name the file, and the ids.

    Attributes:
        names: Its columns.
    """

    def __init__(self, path: Path, table: ExampleTable, columns: Columns) -> None:
        if not columns.id:
            raise UsageError(f"{path}: with `annotations` the column of ids that both files have must be named as `id`")
        self._file = columns.annotations
        self._folder = table.folder
        place = (self._folder / self._file).resolve()
        if not place.is_relative_to(self._folder.resolve()):
            raise UsageError(
                f"{path}: annotations: {self._file!r} leads out of the folder of the examples; put it there"
            )
        other = open_table(place)
        if columns.id not in other.names:
            raise UsageError(f"{place}: has no column {columns.id!r}, by which it would be matched with {path.name}")
        self.names = other.names
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._differ: set[str] = set()
        self._flawed = ""
        for row in other.rows(other.names):
            if not (key := _key(row.values.get(columns.id))):
                self._flawed = self._flawed or f"; {row.where} there {row.flaw or 'has no id'}"
                continue
            values = row.values
            if repr(self._rows.setdefault(key, values)) != repr(values):
                self._differ.add(key)

    def add(self, row: FileRow, found: FoundColumns) -> FileRow:
        """The row with its annotation."""
        if row.flaw:
            return row
        key = _key(found.get["id"](row.values))
        if not key:
            return replace(row, flaw=f"has no id, by which its row in {self._file} would be found")
        beside = self._rows.get(key)
        if beside is None:
            return replace(row, flaw=f"has no row in {self._file}{self._flawed}")
        if key in self._differ:
            told = f"has several rows in {self._file}, which differ; write one, with its right answers in a list"
            return replace(row, flaw=told)
        return replace(row, values={**beside, **row.values, "annotations": beside})


def _key(value: Any) -> str:
    """An id as text, by which 7 and 7.0 are one, as examples have it; "" where there is none."""
    if is_nothing(value):
        return ""
    try:
        return text(value, "id")
    except FlawError:  # told of where the example is made
        return str(value)
