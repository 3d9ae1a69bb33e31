"""Anybody's table of settings and scores, read as a recording.

The table is CSV (comma-separated, with a head) or parquet, one row an evaluation. Nothing in it is guessed: columns are
named by whoever imports it, text is never read as a number in parquet and only as a plain decimal number in CSV, and
every complaint names file, row (from 1, below the head) and column.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from landscapes import columns
from landscapes.errors import InvalidGridError, InvalidSpaceError
from landscapes.files import read_parquet
from landscapes.space import Parameter, SearchSpace

MOST_DIMENSIONS = 6
"""Beyond this, the sweeps that people can afford say nothing about most of the box."""
SPLITS = {
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation", "test": "test",
}  # fmt: skip
"""What a split may be called in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a table is to be read.

    Attributes:
        parameters: Columns of the hyperparameters, each with the range that its values must lie in; None for any.
        metric: Column of the scores.
        minimise: Whether lower is better; scores are negated then.
        error: Column of standard errors, if there is one.
        examples: Column of numbers of examples, or one number for all rows, if known.
        split: Column that says validation or test; None if all rows are what was tuned on.
        average: Whether rows of one setting are averaged (their spread gives the standard error) and not refused.
    """

    parameters: dict[str, tuple[float, float] | None]
    metric: str
    minimise: bool = False
    error: str | None = None
    examples: str | int | None = None
    split: str | None = None
    average: bool = False


def parse_space(text: str) -> dict[str, tuple[float, float] | None]:
    """Parameters from "lr=0..1,density=0.1..1"; a name without a range takes whatever was recorded.

    Raises:
        InvalidSpaceError: If the text cannot be understood, or there are none or more than six.
    """
    found: dict[str, tuple[float, float] | None] = {}
    for part in text.split(","):
        name, equals, span = (piece.strip() for piece in part.partition("="))
        if name in found:
            raise InvalidSpaceError(f"{name!r} is in the space twice; name every parameter once")
        if not equals:
            found[name] = None
        else:
            low, dots, high = span.partition("..")
            try:
                found[name] = (float(low), float(high))
            except ValueError:
                dots = ""
            if not dots:
                raise InvalidSpaceError(f"{part.strip()!r} is no range; write it as {name or 'name'}=0..1")
            Parameter(name, *(found[name] or (0.0, 1.0)))  # refuses ranges that do not increase
    if not 1 <= len(found) <= MOST_DIMENSIONS or "" in found:
        raise InvalidSpaceError(
            f"a space needs 1 to {MOST_DIMENSIONS} named parameters, such as lr=0..1,density=0.1..1, not {text!r}"
        )
    return found


def read_sweep(path: Path, reading: Reading) -> tuple[pd.DataFrame, SearchSpace]:
    """The table in the columns of `grid.parquet`, and the box that its settings span.

    Args:
        path: The table, .csv or .parquet.
        reading: How to read it.

    Raises:
        InvalidGridError: If the table cannot be used; the message says where and what to do.
    """
    frame = _table(path)
    names = list(reading.parameters)
    texts = [reading.split] if reading.split else []
    counted = [reading.examples] if isinstance(reading.examples, str) else []
    wanted = [*names, reading.metric, *([reading.error] if reading.error else []), *counted]
    _require(frame, [*wanted, *texts], path)
    for column in wanted:
        frame[column] = _numbers(frame, column, path, may_be_missing=column == reading.error)
    out = frame[names].copy()
    for column, span in reading.parameters.items():
        _refuse_outside(frame[column].to_numpy(np.float64), span, path, column)
    scores = frame[reading.metric].to_numpy(np.float64)
    out["score"] = -scores if reading.minimise else scores
    out["split"] = _splits(frame, reading.split, path) if reading.split else "validation"
    out["standard_error"] = frame[reading.error] if reading.error else np.nan
    examples = reading.examples if reading.examples is not None else 1
    out["n_examples"] = frame[examples] if isinstance(examples, str) else examples
    keys = ["split", *names]
    if reading.average:
        out = _averaged(out, keys, known_error=reading.error is not None)
    else:
        columns.refuse_repeats(out[keys], path, "setting")
    low, high = out[names].min(), out[names].max()
    for column in names:
        if low[column] == high[column]:
            raise InvalidGridError(
                f"{path}, column {column!r}: is {low[column]:g} in every row; leave it out of the space"
            )
    box = SearchSpace(tuple(Parameter(n, float(low[n]), float(high[n])) for n in names))
    return out.assign(merge_seconds=np.nan, eval_seconds=np.nan), box


def _table(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path)
    if suffix != ".csv":
        raise InvalidGridError(f"{path} must be a .csv or .parquet file")
    try:
        # Everything as text: what is a number is decided cell by cell, and never by what pandas makes of a column.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError as error:
        raise InvalidGridError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise InvalidGridError(f"{path} is not a readable CSV file ({str(error).splitlines()[0]})") from error
    return frame.rename(columns=str.strip)


def _require(frame: pd.DataFrame, names: list[str], path: Path) -> None:
    for name in names:
        if name not in frame.columns:
            near = difflib.get_close_matches(name, map(str, frame.columns), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InvalidGridError(f"{path} has no column {name!r}; {hint}it has {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise InvalidGridError(f"{path} has no rows; record at least one setting")


def _numbers(frame: pd.DataFrame, name: str, path: Path, *, may_be_missing: bool) -> np.ndarray:
    """A column as finite numbers; cells of a CSV file as plain decimals, those of a parquet file as they are."""
    if path.suffix.lower() != ".csv":
        return columns.numbers(frame, name, path, may_be_missing=may_be_missing)
    values = np.empty(len(frame))
    for row, cell in enumerate(frame[name]):
        try:
            values[row] = float(cell) if cell.strip() or not may_be_missing else np.nan
        except ValueError:
            values[row] = np.inf
        if not np.isfinite(values[row]) and not (may_be_missing and np.isnan(values[row])):
            advice = "write numbers with a decimal point and no unit" if cell.strip() else "fill it in"
            raise InvalidGridError(
                f"{columns.where(path, row, name)}: {cell!r} is not a finite number; {advice}, or drop the row"
            )
    return values


def _refuse_outside(values: np.ndarray, span: tuple[float, float] | None, path: Path, name: str) -> None:
    if span is None:
        return
    outside = np.flatnonzero((values < span[0]) | (values > span[1]))
    if len(outside):
        row = int(outside[0])
        raise InvalidGridError(
            f"{columns.where(path, row, name)}: {values[row]:g} is outside [{span[0]:g}, {span[1]:g}]; widen the range "
            "in --space or drop the row"
        )


def _splits(frame: pd.DataFrame, name: str, path: Path) -> list[str]:
    words = columns.words(frame, name, path)
    for row, word in enumerate(words):
        if str(word).strip().lower() not in SPLITS:
            raise InvalidGridError(
                f"{columns.where(path, row, name)}: {word!r} is no split; write validation (or val, dev) or test"
            )
    return [SPLITS[str(word).strip().lower()] for word in words]


def _averaged(rows: pd.DataFrame, keys: list[str], *, known_error: bool) -> pd.DataFrame:
    groups = rows.groupby(keys, sort=False)
    out = groups.agg(score=("score", "mean"), n_examples=("n_examples", "sum"), count=("score", "size")).reset_index()
    if known_error:  # independent repeats
        squares = groups["standard_error"].agg(lambda errors: np.sqrt((errors**2).sum()) / len(errors))
        out["standard_error"] = squares.to_numpy()
    else:
        out["standard_error"] = (groups["score"].std(ddof=1) / np.sqrt(groups["score"].size())).to_numpy()
    return out.drop(columns="count")
