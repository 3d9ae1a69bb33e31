"""Checks that every optimiser's options share."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimizers.errors import InvalidSettingError


def integer(what: str, value: object, *, least: int) -> int:
    """A whole-number option, checked.

    Raises:
        InvalidSettingError: If the value is no integer, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidSettingError(f"{what} must be an integer of at least {least}, not {value!r}")
    return int(value)


def fraction(what: str, value: object) -> float:
    """An option between 0 and 1, both excluded, checked.

    Raises:
        InvalidSettingError: If the value is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < 1.0:
        raise InvalidSettingError(f"{what} must be a number between 0 and 1, not {value!r}")
    return float(value)


def real(what: str, value: object) -> float:
    """A number, which may be NaN or infinite, as it was told.

    Raises:
        InvalidSettingError: If the value is no number; text that looks like one is not.
    """
    try:
        if isinstance(value, str | bytes):
            raise TypeError("it is text")
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidSettingError(f"{what} must be a number, not {type(value).__name__} ({error})") from error


def told_score(what: str, value: object) -> float:
    """A score as it was told, NaN for a failed evaluation.

    Raises:
        InvalidSettingError: If it is no number, or infinite.
    """
    if np.isinf(number := real(what, value)):
        raise InvalidSettingError(f"{what} must be finite, or NaN for a failed evaluation, not {number}")
    return number


def told_error(what: str, value: object) -> float:
    """A standard error as it was told; NaN where none was.

    Raises:
        InvalidSettingError: If it is no number, negative, or not finite.
    """
    if value is None:
        return np.nan
    if not 0.0 <= (number := real(what, value)) < np.inf:
        raise InvalidSettingError(f"{what} must be 0 or more and finite, not {number}")
    return number


def coordinates(x: ArrayLike, dim: int) -> NDArray[np.float64]:
    """A point as it was told.

    Raises:
        InvalidSettingError: If it holds what is no number.
    """
    try:
        return np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as flaw:
        raise InvalidSettingError(f"a point must be {dim} numbers ({flaw})") from flaw


def refuse_names(what: str, points: object) -> None:
    """Refuse tables and mappings: their columns may stand in any order, and the cube's axes have no names to go by.

    Raises:
        InvalidSettingError: If the points name their coordinates.
    """
    parts = [points, *(points if isinstance(points, list | tuple) else ())]
    if any(isinstance(one, Mapping) or hasattr(one, "iloc") for one in parts):
        raise InvalidSettingError(f"{what} must have no names; give an array with the cube's axes in order")


def unit_points(what: str, points: ArrayLike | Sequence[ArrayLike], dim: int) -> NDArray[np.float64]:
    """Points of the unit cube that a user gave, checked; read-only and of shape (k, dim).

    Raises:
        InvalidSettingError: If they are no such points, stand there twice, or name their coordinates.
    """
    refuse_names(what, points)
    # Adding zero turns -0.0 into 0.0: the same number must have the same bytes.
    try:
        checked = np.atleast_2d(np.array(points, dtype=np.float64)) + 0.0
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidSettingError(f"{what} must be points of {dim} numbers from 0 to 1 ({error})") from error
    if checked.ndim != 2 or checked.shape[1] != dim or not np.all((checked >= 0.0) & (checked <= 1.0)):
        raise InvalidSettingError(f"{what} must be one or more points of {dim} numbers from 0 to 1, not {points!r}")
    if len(np.unique(checked, axis=0)) < len(checked):
        raise InvalidSettingError(f"{what} must not hold a point twice: {points!r}")
    checked.flags.writeable = False
    return checked
