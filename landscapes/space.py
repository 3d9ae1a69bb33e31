"""The box of hyperparameters that a landscape spans, or that anything is searched in."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.errors import InvalidSpaceError
from landscapes.settings import as_array

Array = NDArray[np.float64]

NAME = re.compile(r"[^\W\d][\w./:-]*")
"""What columns are called in sweeps, tuners' exports and configuration files."""
SLACK = 1e-9
"""How far outside the box rounding may carry a point, as a fraction of each side."""
LARGEST = float(np.finfo(np.float64).max)


SCALES = ("linear", "log")
KINDS = ("log", "int")
"""Words behind a range, as people type them: on a log scale; of whole numbers alone."""
Range = tuple[float, float] | tuple[float, float, str] | tuple[float, float, str, str]
"""Smallest and largest value of a parameter, and perhaps words of `KINDS` behind them."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One hyperparameter and its range, in its own units.

    Attributes:
        name: What files and tables call it, such as vl_weight, model.lr or train/wd.
        low: Smallest value.
        high: Largest value.
        scale: How its values are spread over a side of the unit cube: linear, or log, where equal steps are equal
            factors.
        integer: Whether it has whole values alone.

    Raises:
        InvalidSpaceError: If the name is no name, the range does not increase or has no finite width, or does not suit
            the scale.
    """

    name: str
    low: float
    high: float
    scale: str = field(default="linear", kw_only=True)
    integer: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise InvalidSpaceError(
                "a parameter's name must begin with a letter and have nothing but dots, slashes, hyphens, colons, "
                f"letters, digits and underscores, not {self.name!r}; rename it"
            )
        for what, value in (("low", self.low), ("high", self.high)):
            # As numpy's whole numbers are, such as the least and largest of a column.
            number = value.item() if isinstance(value, np.integer | np.floating) else value
            if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= LARGEST:
                raise InvalidSpaceError(f"{what} of {self.name} must be a finite number, not {value!r}")
            object.__setattr__(self, what, number)
            if self.integer and number != int(number):
                raise InvalidSpaceError(f"{what} of {self.name} must be a whole number, not {value!r}")
        if self.scale not in SCALES or not isinstance(self.integer, bool):
            raise InvalidSpaceError(
                f"{self.name} must have the scale {' or '.join(SCALES)} and be integer or not (true or false), not "
                f"{self.scale!r} and {self.integer!r}"
            )
        if not self.low < self.high:
            raise InvalidSpaceError(f"low of {self.name} must be below high, not {self.low} and {self.high}")
        if not math.isfinite(self.high - self.low):
            raise InvalidSpaceError(f"{self.name} from {self.low:g} to {self.high:g} is too wide; rescale it")
        if self.scale == "log" and self.low <= 0:
            raise InvalidSpaceError(f"low of {self.name} must be above 0 on a log scale, not {self.low}")
        if self.scale == "log" and not math.log(self.low) < math.log(self.high):
            raise InvalidSpaceError(f"{self.name} from {self.low!r} to {self.high!r} is too narrow for a log scale")

    @classmethod
    def of(cls, name: str, low: float, high: float, *kinds: str) -> Self:
        """A parameter as people type it: `Parameter.of("layers", 1, 64, "log", "int")`.

        Args:
            name: Its name.
            low: Smallest value.
            high: Largest value.
            kinds: Words of `KINDS`, in any order.

        Raises:
            InvalidSpaceError: If a word is unknown, or see the class.
        """
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise InvalidSpaceError(f"behind the range of {name} may stand log and int, not {unknown[0]!r}")
        return cls(name, low, high, scale="log" if "log" in kinds else "linear", integer="int" in kinds)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is not as usual about it, as the user types it: log, int."""
        return (*(["log"] if self.scale == "log" else []), *(["int"] if self.integer else []))

    def spread(self, n: int) -> Array:
        """Values from low to high, evenly on its scale, and each whole number once; at most n."""
        values = (np.linspace if self.scale == "linear" else np.geomspace)(self.low, self.high, n)
        return np.unique(np.rint(values)) if self.integer else values


@dataclass(frozen=True)
class SearchSpace:
    """Hyperparameters in a fixed order; points are arrays of shape (n, d) in that order.

    Without slots, so that what every evaluation asks for several times is made once.

    Points that name their hyperparameters (DataFrames, mappings and more: `landscapes.settings`) go by the names.

    Attributes:
        parameters: The axes, at least one, with different names.

    Raises:
        InvalidSpaceError: If there is none or two share a name.
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        if not self.parameters:
            raise InvalidSpaceError("a search space needs at least one parameter")
        if not (isinstance(self.parameters, tuple) and all(isinstance(one, Parameter) for one in self.parameters)):
            raise InvalidSpaceError(
                f"a search space is made of parameters, not of {self.parameters!r}; `SearchSpace.of` takes ranges"
            )
        if len(set(self.names)) < self.dim:
            raise InvalidSpaceError(f"parameters need different names, not {', '.join(self.names)}")

    @classmethod
    def of(cls, ranges: "Self | Mapping[str, Range]") -> Self:
        """A search space as people write it.

        Args:
            ranges: By name, smallest and largest value and, behind them, "log" or "int" or both; or a search space,
                which is given back.

        Raises:
            InvalidSpaceError: If a range is no such tuple or makes no sense; the message names the parameter.

        Examples:
            >>> SearchSpace.of({"lr": (1e-5, 1e-1, "log"), "layers": (1, 8, "int")}).names
            ('lr', 'layers')
        """
        if isinstance(ranges, cls):
            return ranges
        if not isinstance(ranges, Mapping):
            raise InvalidSpaceError(f"a search space is written as {{name: (low, high)}}, not as {ranges!r}")
        parameters = []
        for name, span in ranges.items():
            if not isinstance(span, tuple | list) or len(span) < 2:
                raise InvalidSpaceError(
                    f"the range of {name} must be (low, high), perhaps with 'log' or 'int' behind them, not {span!r}"
                )
            low, high, *kinds = span
            parameters.append(Parameter.of(name, low, high, *map(str, kinds)))
        return cls(tuple(parameters))

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.parameters)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def low(self) -> Array:
        """Smallest values, of shape (d,), read-only."""
        return _read_only([parameter.low for parameter in self.parameters])

    @cached_property
    def high(self) -> Array:
        """Largest values, of shape (d,), read-only."""
        return _read_only([parameter.high for parameter in self.parameters])

    @cached_property
    def has_integers(self) -> bool:
        """Whether some parameter has whole values alone."""
        return any(parameter.integer for parameter in self.parameters)

    @cached_property
    def _is_linear(self) -> bool:
        return all(parameter.scale == "linear" for parameter in self.parameters)

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        """Low and high on the parameters' scales."""
        return self.warped(self.low), self.warped(self.high)

    def to_unit(self, x: ArrayLike) -> Array:
        """Points in [0, 1]^d.

        Args:
            x: Points of shape (n, d) in the parameters' own units, or under their names.

        Raises:
            InvalidSpaceError: If the shape or a name is wrong or a point lies outside the box.
        """
        points = as_array(x, self.names)
        self._refuse_fractions(points)
        inside = self.inside(points).all(axis=1)
        if not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            setting = ", ".join(f"{n} = {v:g}" for n, v in zip(self.names, points[row], strict=True))
            box = ", ".join(f"{p.name} in [{p.low:g}, {p.high:g}]" for p in self.parameters)
            raise InvalidSpaceError(f"{setting} lies outside the box {box}")
        # Rounding must not carry a point on a face out of the cube.
        low, high = self._ends
        return np.clip((self.warped(points) - low) / (high - low), 0.0, 1.0)

    def from_unit(self, u: ArrayLike) -> Array:
        """Points in the parameters' own units; of whole values the nearest.

        Args:
            u: Points of shape (n, d) in [0, 1]^d.

        Raises:
            InvalidSpaceError: If the shape is wrong or a point lies outside the cube.
        """
        points = as_array(u, self.names)
        if not ((points >= -SLACK) & (points <= 1 + SLACK)).all():
            raise InvalidSpaceError("a point lies outside the unit cube")
        low, high = self._ends
        values = low + points * (high - low)
        for axis, parameter in enumerate(self.parameters):
            if parameter.scale == "log":
                values[:, axis] = np.exp(values[:, axis])
            if parameter.integer:
                values[:, axis] = np.rint(values[:, axis])
        return np.clip(values, self.low, self.high)

    def snapped(self, u: Array) -> Array:
        """Points of the unit cube, of shape (n, d), each moved to the nearest with whole values where they are due."""
        return self.to_unit(self.from_unit(u)) if self.has_integers else u

    def contains(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Which points of shape (n, d) lie in the box, up to rounding, whole where they must be; of shape (n,)."""
        points = as_array(x, self.names)
        return np.asarray(np.all(self.inside(points) & ~self.fractions(points), axis=1))

    def inside(self, points: Array) -> NDArray[np.bool_]:
        """Which coordinates of points of shape (n, d) lie in their ranges, up to rounding on their scales."""
        low, high = self._ends
        values, slack = self.warped(points), SLACK * (high - low)
        return np.asarray((values >= low - slack) & (values <= high + slack))

    def fractions(self, points: Array) -> NDArray[np.bool_]:
        """Which coordinates of points of shape (n, d) are no whole numbers where they should be."""
        if not self.has_integers:
            return np.zeros(points.shape, dtype=np.bool_)
        whole = np.array([parameter.integer for parameter in self.parameters])
        return np.asarray(whole & (np.abs(points - np.rint(points)) > SLACK * np.maximum(np.abs(points), 1.0)))

    def warped(self, points: Array) -> Array:
        """Points of shape (..., d) on the parameters' scales: the logarithm where that is log.

        What is not above 0 there has minus infinity.
        """
        if self._is_linear:
            return points
        values = points.copy()
        for axis, parameter in enumerate(self.parameters):
            if parameter.scale == "log":
                values[..., axis] = np.log(
                    values[..., axis], out=np.full(values.shape[:-1], -np.inf), where=values[..., axis] > 0
                )
        return values

    def _refuse_fractions(self, points: Array) -> None:
        if (broken := self.fractions(points)).any():
            row, axis = (int(i) for i in np.argwhere(broken)[0])
            raise InvalidSpaceError(f"{self.names[axis]} = {points[row, axis]:g} is no whole number; round it")


def _read_only(values: list[float]) -> Array:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
