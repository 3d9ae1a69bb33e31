"""Anybody's table of settings and scores, read as a recording.

One row is an evaluation, or one example at one setting. Nothing is guessed: columns are named by whoever imports the
table, text is never read as a number in parquet and only as a plain decimal number in CSV, and every complaint names
file, row (from 1, below the head) and column as the user knows them.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landscapes import tables
from landscapes.errors import InvalidGridError, InvalidSpaceError
from landscapes.importing.examples import YES_AND_NO, answered, averaged, unmerged, yes_and_no
from landscapes.importing.reading import Reading, decimal
from landscapes.importing.states import finished
from landscapes.space import Parameter, SearchSpace
from landscapes.tables import read_table

SPLITS = {
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation", "test": "test",
}  # fmt: skip
"""What a split may be called in a table."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A table as it was read.

    Attributes:
        rows: In the columns of `grid.parquet`.
        box: What the settings span.
        dropped: How many rows were left out, by reason, in words.
        answers: In the columns of `outcomes.parquet`; None where nothing is known of examples.
        vlm: What the model that is merged into answers as it is, in those of `vlm.parquet`; None if that is not known.
    """

    rows: pd.DataFrame
    box: SearchSpace
    dropped: Mapping[str, int]
    answers: pd.DataFrame | None = None
    vlm: pd.DataFrame | None = None


def read_sweep(path: Path, reading: Reading) -> Sweep:
    """The table in the columns of `grid.parquet`, and the box that its settings span.

    Args:
        path: The table, .csv or .parquet.
        reading: How to read it.

    Raises:
        InvalidGridError: If the table cannot be used; the message says where and what to do.
    """
    frame, names = read_table(path), list(reading.parameters)
    tables.require(frame, reading.columns, path)
    frame, dropped = finished(
        frame, path, metric=reading.metric, state=reading.state, others=reading.columns, drop=reading.drop_failed
    )
    if reading.example is not None:
        frame = frame.assign(**{reading.metric: yes_and_no(frame[reading.metric])})
    elif frame[reading.metric].map(_is_yes_or_no).all():
        raise InvalidGridError(
            f"{path}, column {reading.metric!r}: says yes or no, as a row does of one example; say with --example "
            "which column has the examples' ids"
        )
    if path.suffix.lower() == ".csv":
        frame = frame.assign(**{reading.metric: _decimals(frame[reading.metric], path, may_be_missing=False)})
    measured = _measured(frame, reading, path)
    bare = frame[frame[names].map(_is_blank).all(axis=1)] if reading.example is not None else frame.iloc[:0]
    frame = frame.drop(index=bare.index)
    tables.require(frame, reading.columns, path)
    if path.suffix.lower() == ".csv":
        examples = [reading.examples] if isinstance(reading.examples, str) else []
        figures: list[str] = [*names, *examples, *([reading.error] if reading.error else [])]
        decimals = {name: _decimals(frame[name], path, may_be_missing=name == reading.error) for name in figures}
        frame = frame.assign(**decimals)
    whole = {name for name, kinds in reading.kinds.items() if "int" in kinds}
    out = pd.DataFrame(
        {name: tables.numbers(frame, name, path, whole=name in whole) for name in names}, index=frame.index
    )
    for name, span in reading.parameters.items():
        _refuse_outside(out[name], span, path, name)
        if "log" in reading.kinds.get(name, ()):
            _refuse_without_logarithm(out[name], path, name)
    box = _box(out, reading.kinds, path)
    out[["score", "split"]] = measured
    _refuse_beyond_validation(out, box, path)
    if reading.example is not None:
        answers, incomplete = answered(out, frame, path, reading, box)
        vlm = None if bare.empty else unmerged(measured, bare, path, reading, asked=answers)
        return Sweep(averaged(answers, box), box, {**dropped, **incomplete}, answers, vlm)
    out["standard_error"] = (
        tables.numbers(frame, reading.error, path, at_least=0, may_be_missing=True) if reading.error else np.nan
    )
    examples = 1 if reading.examples is None else reading.examples
    out["n_examples"] = (
        tables.numbers(frame, examples, path, at_least=1, whole=True) if isinstance(examples, str) else examples
    )
    if reading.average:
        out = _averaged(out, ["split", *names], box, known_error=reading.error is not None)
    else:
        keys = out[["split", *names]].rename(columns={"split": reading.split}) if reading.split else out[names]
        cure = "keep one of them, or average them with --average"
        tables.refuse_repeats(keys, path, "setting", box, numbers=keys.index.tolist(), cure=cure)
    out = out.reset_index(drop=True).assign(merge_seconds=np.nan, eval_seconds=np.nan)
    return Sweep(out, box, dropped)


def _measured(frame: pd.DataFrame, reading: Reading, path: Path) -> pd.DataFrame:
    """Score and split of every row."""
    scores = tables.numbers(frame, reading.metric, path)
    splits = _splits(frame, reading.split, path) if reading.split else "validation"
    return pd.DataFrame({"score": -scores if reading.minimise else scores, "split": splits}, index=frame.index)


def _is_yes_or_no(cell: Any) -> bool:
    return cell.strip().lower() in YES_AND_NO if isinstance(cell, str) else isinstance(cell, bool | np.bool_)


def _is_blank(cell: Any) -> bool:
    return not cell.strip() if isinstance(cell, str) else bool(pd.isna(cell))


def _decimals(cells: pd.Series, path: Path, *, may_be_missing: bool) -> np.ndarray:
    """Cells of a CSV file as plain decimals; those of a parquet file are numbers as they are."""
    values = np.full(len(cells), np.nan)
    for row, (number, cell) in enumerate(zip(cells.index, cells, strict=True)):
        if may_be_missing and cell.strip().lower() in ("", "nan"):
            continue
        with suppress(ValueError):
            values[row] = decimal(cell)
        if not np.isfinite(values[row]):
            advice = "write numbers with a decimal point and no unit" if cell.strip() else "fill it in"
            raise InvalidGridError(
                f"{tables.where(path, number, str(cells.name))}: {cell!r} is not a finite number; {advice}, or "
                "drop the row"
            )
    return values


def _box(settings: pd.DataFrame, kinds: Mapping[str, frozenset[str]], path: Path) -> SearchSpace:
    """What the settings span."""
    parameters = []
    for name in settings.columns:
        low, high = float(settings[name].min()), float(settings[name].max())
        if low == high:
            raise InvalidGridError(f"{path}, column {name!r}: is {low:g} in every row; leave it out of the space")
        try:
            parameters.append(Parameter.of(name, low, high, *kinds.get(name, ())))
        except InvalidSpaceError as error:
            raise InvalidGridError(f"{path}, column {name!r}: {error}") from error
    return SearchSpace(tuple(parameters))


def _refuse_outside(values: pd.Series, span: tuple[float, float] | None, path: Path, name: str) -> None:
    if span is None:
        return
    outside = values[(values < span[0]) | (values > span[1])]
    if len(outside):
        where = tables.where(path, outside.index[0], name)
        raise InvalidGridError(
            f"{where}: {outside.iloc[0]:g} is outside [{span[0]:g}, {span[1]:g}]; widen the range "
            "in --space or drop the row"
        )


def _refuse_beyond_validation(rows: pd.DataFrame, box: SearchSpace, path: Path) -> None:
    """Refuse test rows beyond all that was tuned on: there the surrogate of what was tuned on would extrapolate."""
    tuned_on = rows[rows["split"] == "validation"]
    for name, low, high in zip(box.names, box.low, box.high, strict=True):
        least, most = tuned_on[name].min(), tuned_on[name].max()
        beyond = rows[(rows[name] < least) | (rows[name] > most)]
        if max(least - low, high - most) > tables.CLOSE * (high - low):
            raise InvalidGridError(
                f"{tables.where(path, beyond.index[0], name)}: {beyond[name].iloc[0]:g} is a setting of test alone, "
                f"outside [{least:g}, {most:g}], which validation has; add rows of validation there, or drop the row"
            )


def _refuse_without_logarithm(values: pd.Series, path: Path, name: str) -> None:
    without = values[values <= 0]
    if len(without):
        raise InvalidGridError(
            f"{tables.where(path, without.index[0], name)}: {without.iloc[0]:g} has no place on a log scale; drop the "
            "row or leave out `log` in --space"
        )


def _splits(frame: pd.DataFrame, name: str, path: Path) -> list[str]:
    words = tables.words(frame, name, path)
    for row, word in zip(frame.index, words, strict=True):
        if str(word).strip().lower() not in SPLITS:
            raise InvalidGridError(
                f"{tables.where(path, row, name)}: {word!r} is no split; write validation (or val, dev) or test"
            )
    found = [SPLITS[str(word).strip().lower()] for word in words]
    if "validation" not in found:
        raise InvalidGridError(
            f"{path}, column {name!r}: no row is of validation, which a landscape is made of; add such rows, or leave "
            "--split out"
        )
    return found


def _averaged(rows: pd.DataFrame, keys: list[str], box: SearchSpace, *, known_error: bool) -> pd.DataFrame:
    """One row for all that have the same setting, which is the first one's."""
    groups = rows.groupby([tables.alike(rows[keys], box)[key] for key in keys], sort=False)
    count = groups["score"].size()
    out = groups[keys].first().assign(score=groups["score"].mean(), n_examples=groups["n_examples"].sum())
    if known_error:  # independent repeats; where one error is unknown, so is that of the mean
        squares = groups["standard_error"].agg(lambda errors: (errors**2).sum(skipna=False))
        out["standard_error"] = np.sqrt(squares) / count
    else:
        out["standard_error"] = groups["score"].std(ddof=1) / np.sqrt(count)
    return out.reset_index(drop=True)
