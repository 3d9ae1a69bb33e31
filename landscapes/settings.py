"""Settings as people have them, as an array: what names its hyperparameters goes by the names, never by position."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landscapes.errors import InvalidSpaceError

Array = NDArray[np.float64]


def as_array(x: Any, names: Sequence[str]) -> Array:
    """Settings of shape (n, d), columns in the order of `names`.

    Args:
        x: An array or nested sequence of shape (n, d), whose columns are in that order already; or anything with
            names, in any order: a DataFrame (of pandas, or what speaks its interchange protocol), a structured array,
            a mapping from names to columns; or one setting: a mapping from names to numbers, a Series or a named tuple;
            or a sequence of these.
        names: The d hyperparameters.

    Raises:
        InvalidSpaceError: If a name is missing, unknown or there twice, a value is no number, or the shape is wrong.
    """
    named = _named(x)
    if named is None:
        points = _numbers(x, "settings")
    else:
        _refuse_other_names([str(name) for name in named], names)
        columns = [np.atleast_1d(_numbers(named[name], name)) for name in names]
        if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
            lengths = ", ".join(f"{name} {column.shape}" for name, column in zip(names, columns, strict=True))
            raise InvalidSpaceError(f"columns must be equally long, not of shapes {lengths}")
        points = np.stack(columns, axis=1)
    if points.ndim != 2 or points.shape[1] != len(names):
        raise InvalidSpaceError(f"points must have shape (n, {len(names)}) for {', '.join(names)}, not {points.shape}")
    return points


def _named(x: Any) -> Mapping[Any, Any] | None:
    """The columns under their names; None where there are no names."""
    if isinstance(x, pd.DataFrame | pd.Series):
        names = x.columns if isinstance(x, pd.DataFrame) else x.index
        if isinstance(x, pd.Series) and isinstance(names, pd.RangeIndex):
            return None  # numbered and not named: a mere sequence
        if not names.is_unique:
            raise InvalidSpaceError(f"{names[names.duplicated()][0]!r} is there twice; keep one of the two")
        return {name: x[name] for name in names}
    if isinstance(x, Mapping):
        return x
    if hasattr(x, "__dataframe__"):
        return _named(pd.api.interchange.from_dataframe(x))
    if (fields := getattr(getattr(x, "dtype", None), "names", None)) is not None:
        return {name: x[name] for name in fields}
    if hasattr(x, "_asdict"):
        return x._asdict()
    if isinstance(x, list | tuple) or (isinstance(x, np.ndarray) and x.dtype == np.object_ and x.ndim):
        settings = [None if isinstance(one, float | int) else _named(one) for one in x]
        if any(setting is not None for setting in settings):
            return _columns(settings)
    return None


def _columns(settings: Iterable[Mapping[Any, Any] | None]) -> Mapping[Any, Any]:
    """The columns of settings that all have the same names."""
    rows: list[dict[Any, Any]] = []
    for number, setting in enumerate(settings, start=1):
        if setting is None or (rows and set(setting) != set(rows[0])):
            there = "no names" if setting is None else ", ".join(map(str, setting))
            raise InvalidSpaceError(f"setting {number} has {there}; give every setting the same names")
        rows.append(dict(setting))
    return {name: [row[name] for row in rows] for name in rows[0]}


def _refuse_other_names(given: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in given]
    extra = [name for name in given if name not in names]
    if missing or extra:
        lacks = f"lack {', '.join(map(repr, missing))}" if missing else ""
        has = f"have {', '.join(map(repr, extra))} besides" if extra else ""
        raise InvalidSpaceError(
            f"settings {' and '.join(filter(None, (lacks, has)))}; name exactly the hyperparameters {', '.join(names)}"
        )


def _numbers(values: Any, what: object) -> Array:
    """Values as floats; text that looks like a number is not one, nor is true or a date."""
    try:
        array = np.asarray(values)
        text = array.dtype.kind in "SUbMmV" or (
            array.dtype.kind == "O" and any(isinstance(value, str | bytes | bool) for value in array.ravel())
        )
        if not text:
            return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidSpaceError(f"{what!s} must be numbers: {error}") from error
    raise InvalidSpaceError(f"{what!s} must be numbers, not {array.dtype if array.dtype.kind != 'O' else 'text'}")
