"""Checks that every optimiser's options share."""

import numpy as np

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
