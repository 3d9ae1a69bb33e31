"""A second file of annotations, matched with the examples by their ids."""

from dataclasses import replace
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.reading.columns import Columns
from hpo_bench.evaluation.reading.found_columns import FoundColumns
from hpo_bench.evaluation.reading.rows import FileRow
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
        self._rows = {
            str(row.values[columns.id]): row.values for row in other.rows(other.names) if columns.id in row.values
        }

    def add(self, row: FileRow, found: FoundColumns) -> FileRow:
        """The row with its annotation."""
        if row.flaw:
            return row
        beside = self._rows.get(str(found.get["id"](row.values)))
        if beside is None:
            return replace(row, flaw=f"has no row in {self._file}")
        return replace(row, values={**beside, **row.values, "annotations": beside})
