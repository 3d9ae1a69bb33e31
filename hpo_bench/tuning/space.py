"""The box in which a merge method's hyperparameters are tuned."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_bench.errors import UsageError
from hpo_bench.merging.setting import MergeSetting, check_method
from landscapes.space import Parameter, SearchSpace
from optimizers import Point

Range = tuple[float, float]
COEFFICIENTS: Range = (0.0, 1.4)
DENSITY: Range = (0.1, 1.0)


@dataclass(frozen=True)
class MergeSpace:
    """Between the unit cube of an optimiser and the settings of a merge method.

    Attributes:
        method: A key of `METHODS`.
        coefficients: Range of both coefficients.
        density: Range of the density, for methods that have one.
        sum_to_one: Whether the coefficients must sum to one, which leaves one axis for both of them.

    Raises:
        UsageError: If the method is unknown or a range makes no sense.
    """

    method: str
    coefficients: Range = COEFFICIENTS
    density: Range = DENSITY
    sum_to_one: bool = False

    def __post_init__(self) -> None:
        check_method(self.method)
        for what, (low, high) in (("coefficients", self.coefficients), ("density", self.density)):
            if not low < high:
                raise UsageError(f"the range of {what} must increase, not go from {low:g} to {high:g}")
        if not (self.density[0] > 0 and self.density[1] <= 1):
            raise UsageError(f"densities must be in (0, 1], not from {self.density[0]:g} to {self.density[1]:g}")
        if self.sum_to_one and not self._expert[0] < self._expert[1]:
            raise UsageError(
                f"no two coefficients from {self.coefficients[0]:g} to {self.coefficients[1]:g} sum to one"
            )

    @property
    def has_density(self) -> bool:
        """Whether the method sparsifies."""
        return self.method != "ta"

    @cached_property
    def free(self) -> SearchSpace:
        """The axes that are searched; with `sum_to_one`, vl_weight is 1 - exp_weight and no axis."""
        axes = [] if self.sum_to_one else [Parameter("vl_weight", *map(float, self.coefficients))]
        axes.append(Parameter("exp_weight", *self._expert))
        if self.has_density:
            axes.append(Parameter("density", *map(float, self.density)))
        return SearchSpace(tuple(axes))

    @cached_property
    def box(self) -> SearchSpace:
        """All hyperparameters and their ranges."""
        axes = [Parameter("vl_weight", *map(float, self.coefficients)), Parameter("exp_weight", *self.coefficients)]
        if self.has_density:
            axes.append(Parameter("density", *map(float, self.density)))
        return SearchSpace(tuple(axes))

    @property
    def dim(self) -> int:
        """How many axes are searched."""
        return self.free.dim

    def setting(self, x: Point) -> MergeSetting:
        """The setting at a point of shape (dim,) in the unit cube."""
        values = dict(zip(self.free.names, map(float, self.free.from_unit(np.asarray(x)[None])[0]), strict=True))
        if self.sum_to_one:
            values["vl_weight"] = 1.0 - values["exp_weight"]
        return MergeSetting(self.method, **values)

    def point(self, setting: MergeSetting) -> Point:
        """Where a setting lies, of shape (dim,) in the unit cube.

        A setting outside the box is moved to its nearest face, one whose coefficients do not sum to one where they
        must keeps their proportion, and a missing density is the largest.
        """
        vl, expert = setting.vl_weight, setting.exp_weight
        if self.sum_to_one:
            total = vl + expert
            vl, expert = (vl / total, expert / total) if total > 0 else (0.5, 0.5)
        values = {"vl_weight": vl, "exp_weight": expert, "density": setting.density or self.density[1]}
        x = np.array([values[name] for name in self.free.names])
        return self.free.to_unit(np.clip(x, self.free.low, self.free.high)[None])[0]

    @property
    def _expert(self) -> Range:
        low, high = map(float, self.coefficients)
        return (max(low, 1.0 - high), min(high, 1.0 - low)) if self.sum_to_one else (low, high)
