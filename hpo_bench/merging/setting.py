"""One point of a merge's search space."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from numbers import Real
from typing import Self

from hpo_bench.errors import UsageError
from hpo_bench.merging.methods import registry
from hpo_bench.merging.methods.base import COEFFICIENTS, DENSITY, MergeMethod


@dataclass(frozen=True, slots=True, init=False)
class MergeSetting:
    """A merge method and its hyperparameters.

    Hyperparameters are given in the method's order or by their names, where None stands for one that is not given; one
    that has a default may be left out:

        MergeSetting("ta", 0.6, 0.8)
        MergeSetting("ties", vl_weight=1.0, exp_weight=0.5, density=0.4)

    Attributes:
        method: Name of a merge method, or the address "module:Class" of one.
        names: Its hyperparameters' names, in the method's order, so that a process that merges nothing needs not import
            the method, and with it PyTorch, to read a setting.
        values: What they are.

    Raises:
        UsageError: If there is no such method, or a hyperparameter is missing, superfluous, no finite number, or out of
            its range.
    """

    method: str
    names: tuple[str, ...]
    values: tuple[float, ...]

    def __init__(self, method: str, *values: float, **named: float | None) -> None:
        kind = registry.get(method)
        known = {one.name: one for one in kind.hyperparameters}
        if len(values) > len(known):
            raise UsageError(f"{kind.label} takes {_listed(known)}, and not {len(values)} hyperparameters")
        given = {name: value for name, value in named.items() if value is not None}
        given |= dict(zip(known, values, strict=False))
        if unknown := [name for name in given if name not in known]:
            raise UsageError(f"{kind.label} takes no {unknown[0]}, but {_listed(known)}")
        if missing := [name for name, one in known.items() if one.default is None and name not in given]:
            raise UsageError(f"{kind.label} needs {_give(missing)}; `hpo-bench tune -m {method}` finds what is best")
        found = []
        for name, one in known.items():
            value = given.get(name, one.default)
            if not isfinite(number := _number(value)):
                raise UsageError(f"{name} must be a finite number, not {_shown(value)}")
            if not one.takes(number):
                raise UsageError(f"{name} must be {one.allowed}, not {value}")
            found.append(number)
        self._set(method, tuple(known), tuple(found))

    def _set(self, method: str, names: tuple[str, ...], values: tuple[float, ...]) -> None:
        for name, value in (("method", method), ("names", names), ("values", values)):
            object.__setattr__(self, name, value)

    @classmethod
    def _unchecked(cls, method: str, **parameters: float) -> Self:
        made = cls.__new__(cls)
        made._set(method, tuple(parameters), tuple(parameters.values()))
        return made

    @property
    def kind(self) -> type[MergeMethod]:
        """The merge method."""
        return registry.get(self.method)

    @property
    def label(self) -> str:
        """The merge method's name, as in text."""
        return self.kind.label

    @property
    def parameters(self) -> dict[str, float]:
        """The hyperparameters by name, in the order of the search space."""
        return dict(zip(self.names, self.values, strict=True))

    @property
    def named(self) -> str:
        """`TIES, vl_weight 0.61, exp_weight 0.8, density 0.4`: as people read it."""
        return ", ".join([self.label, *(f"{name} {value:.3g}" for name, value in self.parameters.items())])

    @property
    def vl_weight(self) -> float:
        """Coefficient of the VLM's task vector, of a method that has one."""
        return self._one("vl_weight")

    @property
    def exp_weight(self) -> float:
        """Coefficient of the expert's task vector, of a method that has one."""
        return self._one("exp_weight")

    @property
    def density(self) -> float | None:
        """Share of each task vector that is kept, in (0, 1]; None for a method that keeps all."""
        return self.parameters.get("density")

    def _one(self, name: str) -> float:
        try:
            return self.parameters[name]
        except KeyError:
            raise AttributeError(f"{self.label} has no {name}") from None


BASE = MergeSetting._unchecked("ta", vl_weight=1.0, exp_weight=0.0)
"""The VLM as it is."""


def _number(value: object) -> float:
    """As a float, which numpy's numbers are not and JSON takes; NaN for what is no number, or too large for one."""
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else nan
    except OverflowError:
        return nan


def _shown(value: object) -> str:
    try:
        return repr(value)[:40]
    except ValueError:  # Python writes out no integer of thousands of digits
        return "an integer of thousands of digits"


def _give(missing: Sequence[str]) -> str:
    """What is lacking, and how to say it in Python and on the command line."""
    usual = {one.name: f"--{one.name.replace('_', '-')} 0.6" for one in (*COEFFICIENTS, DENSITY)}
    named = " and ".join(f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in missing)
    options = " ".join(usual.get(name, f"--set {name}=0.6") for name in missing)
    return f"{named}: give {options}, say (in Python {', '.join(f'{name}=0.6' for name in missing)})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no hyperparameters"
