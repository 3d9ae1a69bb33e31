"""Checks of table columns whose messages name file, row and column and say what to do. Rows count from 1."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landscapes.errors import InvalidGridError
from landscapes.files import read_parquet, read_schema
from landscapes.space import SearchSpace
from landscapes.written import read_text
from surrogates.spelling import did_you_mean

Array = NDArray[np.float64]

MASK_SEED = "mask_seed"
"""An optional whole-number column: the same setting recorded with several DARE masks is several rows."""
CLOSE = 1e-9
"""Settings nearer than this fraction of their range are one and the same."""


def require(frame: pd.DataFrame, names: Iterable[str], path: Path) -> None:
    """Refuse a table that is empty or lacks a column."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        hint = did_you_mean(missing[0], frame.columns)
        raise InvalidGridError(
            f"{path} has no column {', '.join(map(repr, missing))}; {hint}it has {', '.join(map(str, frame.columns))}. "
            "Add or rename the column"
        )
    if frame.empty:
        raise InvalidGridError(f"{path} has no rows; record at least one setting")


def numbers(
    frame: pd.DataFrame,
    name: str,
    path: Path,
    *,
    at_least: float = -np.inf,
    may_be_missing: bool = False,
    whole: bool = False,
) -> Array:
    """A column as finite numbers, of shape (n,); NaN stands for a missing value where that is allowed."""
    raw = frame[name]
    values = np.asarray(pd.to_numeric(raw, errors="coerce"), dtype=np.float64)
    if pd.api.types.is_datetime64_any_dtype(raw):
        values = np.full(len(raw), np.nan)  # pandas would count nanoseconds
    bad = ~np.isfinite(values)
    if may_be_missing:
        bad &= ~np.asarray(raw.isna())
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = raw.iloc[row]
        shown = repr(value) if isinstance(value, str) else str(value)
        advice = "evaluate the setting again" if name == "score" else "correct the value"
        raise InvalidGridError(
            f"{_where(frame, row, path, name)}: {shown} is not a finite number; {advice} or drop the row"
        )
    # "0.5" may be a number, a name or a date's beginning: whoever wrote the file must say.
    text = np.array([isinstance(value, str) for value in raw]) if raw.dtype.kind not in "biuf" else np.zeros(0)
    if text.any():
        row = int(np.flatnonzero(text)[0])
        raise InvalidGridError(
            f"{_where(frame, row, path, name)}: {raw.iloc[row]!r} is text; write the column as numbers"
        )
    if (low := values < at_least).any():
        row = int(np.flatnonzero(low)[0])
        raise InvalidGridError(
            f"{_where(frame, row, path, name)}: {values[row]:g} is below {at_least:g}; correct the value"
        )
    if whole and (broken := values != np.floor(values)).any():
        row = int(np.flatnonzero(broken)[0])
        raise InvalidGridError(
            f"{_where(frame, row, path, name)}: {values[row]:g} is not a whole number; correct the value"
        )
    return values


def words(frame: pd.DataFrame, name: str, path: Path) -> NDArray[np.object_]:
    """A column as non-empty strings, of shape (n,)."""
    values = np.asarray(frame[name].astype(object))
    for value in pd.unique(values):  # in the order in which they first stand there
        if not isinstance(value, str) or not value:
            row = next(row for row, one in enumerate(values) if not isinstance(one, str) or not one)
            raise InvalidGridError(f"{_where(frame, row, path, name)}: {values[row]!r} is not a word; fill it in")
    return values


def settings(frame: pd.DataFrame, space: SearchSpace, path: Path) -> Array:
    """The setting of each row, of shape (n, d), checked against the box."""
    X = np.stack([numbers(frame, name, path) for name in space.names], axis=1)
    outside = ~space.inside(X)
    if outside.any():
        row, axis = (int(i) for i in np.argwhere(outside)[0])
        side = space.parameters[axis]
        raise InvalidGridError(
            f"{_where(frame, row, path, side.name)}: {X[row, axis]:g} is outside the card's box "
            f"[{side.low:g}, {side.high:g}]; "
            "widen low and high in card.yaml or drop the row"
        )
    if (broken := space.fractions(X)).any():
        row, axis = (int(i) for i in np.argwhere(broken)[0])
        raise InvalidGridError(
            f"{_where(frame, row, path, space.names[axis])}: {X[row, axis]:g} is not a whole number, and the "
            "parameter is integer; correct the value"
        )
    return X


def same_settings(X: Array, Z: Array, space: SearchSpace) -> bool:
    """Whether two arrays of settings, of shape (n, d), are the same row by row, but for rounding."""
    return X.shape == Z.shape and bool(
        np.all(
            np.abs(space.warped(X) - space.warped(Z)) <= CLOSE * (space.warped(space.high) - space.warped(space.low))
        )
    )


def mask_seeds(frame: pd.DataFrame, path: Path) -> dict[str, NDArray[np.int64]]:
    """The column of mask seeds under its name; nothing where the table has none."""
    if MASK_SEED not in frame.columns:
        return {}
    return {MASK_SEED: numbers(frame, MASK_SEED, path, at_least=0, whole=True).astype(np.int64)}


def alike(keys: pd.DataFrame, space: SearchSpace | None = None) -> pd.DataFrame:
    """Whole numbers that are equal where the keys are, of the same shape.

    Neighbouring fractions that are nearer than a billionth of the column's range, on the parameter's scale, are one: a
    surrogate, for which every range is [0, 1], could not tell them apart. What is no fraction, such as words and seeds,
    is compared as it is.
    """
    if space is not None:
        keys = keys.copy()
        keys[list(space.names)] = space.warped(keys[list(space.names)].to_numpy(np.float64))
    return keys.apply(lambda key: _levels(key.to_numpy()) if key.dtype.kind == "f" else pd.factorize(key)[0])


def refuse_repeats(
    keys: pd.DataFrame,
    path: Path,
    what: str,
    space: SearchSpace | None = None,
    *,
    numbers: Sequence[int] | None = None,
    cure: str = "keep one of them",
) -> None:
    """Refuse two rows with keys that are alike; `numbers` are those of the rows in the file, from 0, if some lack."""
    same = alike(keys, space)
    repeated = np.asarray(same.duplicated())
    if repeated.any():
        second = int(np.flatnonzero(repeated)[0])
        first = int(np.flatnonzero((same == same.iloc[second]).all(axis=1))[0])
        values = {name: keys[name].iloc[second] for name in keys.columns}
        setting = ", ".join(f"{n} = {v:g}" if isinstance(v, float) else f"{n} = {v}" for n, v in values.items())
        if numbers is not None:
            first, second = numbers[first], numbers[second]
        raise InvalidGridError(f"{path}, rows {first + 1} and {second + 1}: the same {what} ({setting}); {cure}")


def _levels(values: Array) -> NDArray[np.int64]:
    known, place = np.unique(values, return_inverse=True)
    apart = np.diff(known) > CLOSE * (known[-1] - known[0])
    return np.concatenate([[0], np.cumsum(apart)])[place]


def _where(frame: pd.DataFrame, row: int, path: Path, name: str) -> str:
    return where(path, frame.index[row], name)


def where(path: Path, row: int, name: str) -> str:
    """The place of a cell, in words; `row` counts from 0, as the index of an untouched table does."""
    return f"{path}, row {row + 1}, column {name!r}"


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
        raise InvalidGridError(f"{path} must be a .csv or .parquet file; save the table as one of them")
    text = read_text(path, wrong=InvalidGridError)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if line]
    except csv.Error as error:
        raise InvalidGridError(f"{path} is not a readable CSV file ({error}); save it as CSV in UTF-8") from error
    if not lines:
        raise InvalidGridError(f"{path} is empty; its first line must name the columns")
    names, rows = _different([name.strip() for name in lines[0]], path), lines[1:]
    if other := next((mark for mark in _OTHER_MARKS if len(names) < lines[0][0].count(mark) + 1), None):
        raise InvalidGridError(
            f"{path} has {_OTHER_MARKS[other]} between its columns, as some spreadsheets write it; save it with "
            "commas between columns and points in numbers, or as parquet"
        )
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InvalidGridError(
                f"{path}, row {number}: has {len(row)} fields where the head has {len(names)}; "
                f"{_advice(row, len(names))}"
            )
    return pd.DataFrame({name: [row[place] for row in rows] for place, name in enumerate(names) if name}, dtype=str)


_OTHER_MARKS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What stands between columns in files that are no CSV to us."""


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
