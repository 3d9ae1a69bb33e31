"""The box in which a merge method's hyperparameters are tuned."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import UsageError
from hpo_bench.merging.methods import base, registry
from hpo_bench.merging.setting import MergeSetting
from landscapes.space import Parameter, SearchSpace
from optimizers import Point

Range = tuple[float, float]
COEFFICIENTS: Range = (base.COEFFICIENTS[0].low, base.COEFFICIENTS[0].high)
DENSITY: Range = (base.DENSITY.low, base.DENSITY.high)
WEIGHTS = tuple(one.name for one in base.COEFFICIENTS)


@dataclass(frozen=True)
class MergeSpace:
    """Between the unit cube of an optimiser and the settings of a merge method.

    Attributes:
        method: Name of a merge method that has hyperparameters; others than these have the ranges that it says.
        coefficients: Range of both coefficients.
        density: Range of the density, for methods that have one.
        sum_to_one: Whether the coefficients must sum to one, which leaves one axis for both of them.

    Raises:
        UsageError: If the method is unknown or has nothing to tune, or a range makes no sense.
    """

    method: str
    coefficients: Range = COEFFICIENTS
    density: Range = DENSITY
    sum_to_one: bool = False

    def __post_init__(self) -> None:
        kind = registry.tunable(self.method)
        for what, (low, high) in (("coefficients", self.coefficients), ("density", self.density)):
            if not low < high:
                raise UsageError(f"the range of {what} must increase, not go from {low:g} to {high:g}")
        if not (self.density[0] > 0 and self.density[1] <= 1):
            raise UsageError(f"densities must be in (0, 1], not from {self.density[0]:g} to {self.density[1]:g}")
        if self.sum_to_one and not {*WEIGHTS} <= {one.name for one in kind.hyperparameters}:
            raise UsageError(f"{kind.label} has no two coefficients that could sum to one")
        if self.sum_to_one and not self._expert[0] < self._expert[1]:
            raise UsageError(
                f"no two coefficients from {self.coefficients[0]:g} to {self.coefficients[1]:g} sum to one"
            )

    @cached_property
    def free(self) -> SearchSpace:
        """The axes that are searched; with `sum_to_one`, vl_weight is 1 - exp_weight and no axis."""
        axes = [axis for axis in self.box.parameters if not (self.sum_to_one and axis.name == WEIGHTS[0])]
        return SearchSpace(tuple(Parameter(a.name, *self._expert) if a.name == WEIGHTS[1] else a for a in axes))

    @cached_property
    def box(self) -> SearchSpace:
        """All hyperparameters and their ranges."""
        asked = {**dict.fromkeys(WEIGHTS, self.coefficients), base.DENSITY.name: self.density}
        ranges = {one.name: asked.get(one.name, (one.low, one.high)) for one in self._hyperparameters}
        return SearchSpace(tuple(Parameter(name, *map(float, ends)) for name, ends in ranges.items()))

    @property
    def dim(self) -> int:
        """How many axes are searched."""
        return self.free.dim

    def setting(self, x: Point) -> MergeSetting:
        """The setting at a point of shape (dim,) in the unit cube."""
        (values,) = self.values(np.asarray(x)[None]).tolist()
        return MergeSetting(self.method, **dict(zip(self.box.names, values, strict=True)))

    def values(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """The hyperparameters, in the order of `box`, at points in the unit cube of shape (n, dim); of shape (n, d)."""
        values = dict(zip(self.free.names, self.free.from_unit(X).T, strict=True))
        if self.sum_to_one:
            values[WEIGHTS[0]] = 1.0 - values[WEIGHTS[1]]
        return np.stack([values[name] for name in self.box.names], axis=1)

    def point(self, setting: MergeSetting) -> Point:
        """Where a setting lies, of shape (dim,) in the unit cube.

        A setting outside the box is moved to its nearest face, one whose coefficients do not sum to one where they
        must keeps their proportion, and what it lacks has no effect: a missing density is the largest.
        """
        values = {one.name: one.high if one.neutral is None else one.neutral for one in self._hyperparameters}
        values |= setting.parameters
        if self.sum_to_one:
            total = setting.vl_weight + setting.exp_weight
            shares = (value / total if total > 0 else 0.5 for value in (setting.vl_weight, setting.exp_weight))
            values |= dict(zip(WEIGHTS, shares, strict=True))
        x = np.array([values[name] for name in self.free.names])
        return self.free.to_unit(np.clip(x, self.free.low, self.free.high)[None])[0]

    @property
    def _hyperparameters(self) -> tuple[base.Hyperparameter, ...]:
        return registry.get(self.method).hyperparameters

    @property
    def _expert(self) -> Range:
        low, high = map(float, self.coefficients)
        return (max(low, 1.0 - high), min(high, 1.0 - low)) if self.sum_to_one else (low, high)
