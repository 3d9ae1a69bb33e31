"""The box of hyperparameters that a landscape spans."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes.errors import InvalidSpaceError
from landscapes.settings import as_array

Array = NDArray[np.float64]

SLACK = 1e-9
"""How far outside the box rounding may carry a point, as a fraction of each side."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One hyperparameter and its range, in its own units.

    Attributes:
        name: What files and tables call it, such as vl_weight.
        low: Smallest value.
        high: Largest value.

    Raises:
        InvalidSpaceError: If the name is not an identifier, or the range does not increase or has no
            finite width.
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InvalidSpaceError(
                f"a parameter's name must be letters, digits and underscores, not {self.name!r}; rename it"
            )
        for what, value in (("low", self.low), ("high", self.high)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InvalidSpaceError(f"{what} of {self.name} must be a finite number, not {value!r}")
        if not self.low < self.high:
            raise InvalidSpaceError(f"low of {self.name} must be below high, not {self.low} and {self.high}")
        if not math.isfinite(self.high - self.low):
            raise InvalidSpaceError(f"{self.name} from {self.low:g} to {self.high:g} is too wide; rescale it")


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Hyperparameters in a fixed order; points are arrays of shape (n, d) in that order.

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
        if len(set(self.names)) < self.dim:
            raise InvalidSpaceError(f"parameters need different names, not {', '.join(self.names)}")

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def low(self) -> Array:
        """Smallest values, of shape (d,)."""
        return np.array([parameter.low for parameter in self.parameters], dtype=np.float64)

    @property
    def high(self) -> Array:
        """Largest values, of shape (d,)."""
        return np.array([parameter.high for parameter in self.parameters], dtype=np.float64)

    def to_unit(self, x: ArrayLike) -> Array:
        """Points in [0, 1]^d.

        Args:
            x: Points of shape (n, d) in the parameters' own units, or under their names.

        Raises:
            InvalidSpaceError: If the shape or a name is wrong or a point lies outside the box.
        """
        points = as_array(x, self.names)
        inside = self.contains(points)
        if not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            setting = ", ".join(f"{n} = {v:g}" for n, v in zip(self.names, points[row], strict=True))
            box = ", ".join(f"{p.name} in [{p.low:g}, {p.high:g}]" for p in self.parameters)
            raise InvalidSpaceError(f"{setting} lies outside the box {box}")
        # Rounding must not carry a point on a face out of the cube.
        return np.clip((points - self.low) / (self.high - self.low), 0.0, 1.0)

    def from_unit(self, u: ArrayLike) -> Array:
        """Points in the parameters' own units.

        Args:
            u: Points of shape (n, d) in [0, 1]^d.

        Raises:
            InvalidSpaceError: If the shape is wrong or a point lies outside the cube.
        """
        points = as_array(u, self.names)
        if not ((points >= -SLACK) & (points <= 1 + SLACK)).all():
            raise InvalidSpaceError("a point lies outside the unit cube")
        return np.clip(self.low + points * (self.high - self.low), self.low, self.high)

    def contains(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Which points of shape (n, d) lie in the box, up to rounding; of shape (n,)."""
        points, slack = as_array(x, self.names), SLACK * (self.high - self.low)
        return np.all((points >= self.low - slack) & (points <= self.high + slack), axis=1)
