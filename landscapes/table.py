"""Anybody's table as it is: columns with different names, and every row as wide as the head."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from landscapes.errors import InvalidGridError
from landscapes.files import read_parquet, read_schema
from landscapes.written import read_text


def read_table(path: Path) -> pd.DataFrame:
    """The table's columns under their names, without blanks around them.

    Args:
        path: A .csv file (commas, a head, UTF-8), of which every cell is text here, or a .parquet file, whose cells are
            what they are in it. A column without a name, such as the row numbers that pandas writes, is left out.

    Raises:
        InvalidGridError: If it is neither, cannot be read, has two columns of one name, or a row of another width than
            its head.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        # Before the rest is read: pyarrow reads no table in which a name stands twice.
        names = _different([name.strip() for name in read_schema(path).names], path)
        frame = read_parquet(path)
        frame.columns = pd.Index(names)
        return frame
    if suffix != ".csv":
        raise InvalidGridError(f"{path} must be a .csv or .parquet file")
    text = read_text(path, wrong=InvalidGridError)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if line]
    except csv.Error as error:
        raise InvalidGridError(f"{path} is not a readable CSV file ({error}); save it as CSV in UTF-8") from error
    if not lines:
        raise InvalidGridError(f"{path} is empty; its first line must name the columns")
    names, rows = _different([name.strip() for name in lines[0]], path), lines[1:]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InvalidGridError(
                f"{path}, row {number}: has {len(row)} fields where the head has {len(names)}; "
                f"{_advice(row, len(names))}"
            )
    return pd.DataFrame({name: [row[place] for row in rows] for place, name in enumerate(names) if name}, dtype=str)


def _different(names: Sequence[str], path: Path) -> Sequence[str]:
    for place, name in enumerate(names):
        if name and name in names[:place]:
            raise InvalidGridError(f"{path}: column {name!r} is there twice; rename or remove one of the two")
    return names


def _advice(row: Sequence[str], width: int) -> str:
    if len(row) < width:
        return "fill in what is missing, or drop the row"
    if not any(field.strip() for field in row[width:]):
        return "those beyond it are empty: remove the commas at the end of the line"
    return "name every column in the head, write numbers with a decimal point, and put text with a comma in quotes"
