"""What the checks share: how runs are driven, on which objective, and how they complain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from optimizers.base import Optimizer, Point
from optimizers.errors import OptimizerError, ProtocolError, in_words, traced

Objective = Callable[[Point], float]

BUDGET = 10
"""Evaluations of most checks: past most initial designs, into a second generation or line search."""

LONG = 40
"""Evaluations of the checks of repetition, which what sets in late must not escape; the benchmark's budget in 2-D."""

LARGEST_SEED = 2**31 - 1
"""The benchmark draws its seeds up to here."""

GROUP_TOLERANCE = 1e-9
"""How far a point may be from where it would be if its run were alone, along any axis."""


class ConformanceError(AssertionError):
    """An optimiser breaks the protocol."""


def hill(x: Point) -> float:
    """A smooth objective without symmetries, in any number of dimensions."""
    centre = 0.35 + 0.1 * np.arange(len(x))
    return float(np.exp(-3.0 * np.sum((x - centre) ** 2)) + 0.05 * np.sum(np.cos(9.0 * x)))


def drive(
    optimizer: Optimizer, objective: Objective, evaluations: int, *, standard_error: float | None = None
) -> list[Point]:
    """Asks and tells; returns the points.

    Raises:
        ConformanceError: If the optimiser raises anything.
    """
    points = []
    for _ in range(evaluations):
        with _blamed(optimizer):
            points.append(optimizer.ask())
            optimizer.tell(points[-1], objective(points[-1]), standard_error=standard_error)
    return points


def inform(optimizer: Optimizer, x: Point, score: float) -> None:
    """Tells a point that is known from elsewhere.

    Raises:
        ConformanceError: If the optimiser raises anything.
    """
    with _blamed(optimizer):
        optimizer.tell(x, score, known=True)


def lockstep(group: Sequence[Optimizer], objectives: Sequence[Objective], evaluations: int) -> Iterator[list[Point]]:
    """Asks a group of runs together and tells each its score; yields the points of all runs, step by step.

    Raises:
        ConformanceError: If the optimiser raises anything.
    """
    for _ in range(evaluations):
        with _blamed(group[0]):
            points = type(group[0]).ask_many(group)
            for optimizer, objective, x in zip(group, objectives, points, strict=True):
                optimizer.tell(x, objective(x))
        yield points


@contextmanager
def _blamed(optimizer: Optimizer) -> Iterator[None]:
    told = len(getattr(optimizer, "_scores", ()))
    try:
        yield
    except Exception as error:
        dim, seed = (getattr(optimizer, what, "unknown") for what in ("dim", "seed"))
        said = _said(error, type(optimizer))
        raise ConformanceError(f"evaluation {told + 1} of a run in {dim}-D with seed {seed} raised {said}") from error


@contextmanager
def blamed(cls: type[Optimizer], check: str) -> Iterator[None]:
    """Complains of whatever is raised, but for complaints: where no single evaluation can be named."""
    try:
        yield
    except ConformanceError:
        raise
    except Exception as error:
        raise ConformanceError(f"in the check {check} it raised {_said(error, cls)}") from error


_SETTINGS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "PyTorch's default precision": (torch.get_default_dtype, torch.set_default_dtype),
    "PyTorch's thread count": (torch.get_num_threads, torch.set_num_threads),
    "whether PyTorch keeps gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "PyTorch's choice of algorithms": (
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms,
    ),
    "what numpy does about errors": (np.geterr, lambda before: np.seterr(**before)),
}  # fmt: skip
"""How to read each setting of the process, which all optimisers share, and to set it again."""


@contextmanager
def settings_kept() -> Iterator[None]:
    """Complains of settings of the process that are others afterwards, and sets them as they were.

    Around every check, as what is set once for all is no change any more when the next one begins.
    """
    before = {what: read() for what, (read, _) in _SETTINGS.items()}
    try:
        yield
    finally:
        changed = [what for what, (read, _) in _SETTINGS.items() if read() != before[what]]
        for what in changed:
            _SETTINGS[what][1](before[what])
    require(not changed, f"a run changes {' and '.join(changed)}")


def _said(error: Exception, cls: type[Optimizer]) -> str:
    first = error.__cause__ if isinstance(error, ProtocolError) and error.__cause__ else error
    return in_words(error) if isinstance(first, OptimizerError) else traced(first, cls)


def memory(cls: type[Optimizer]) -> Mapping[tuple[type, str], object]:
    """Copies of what a class, and those between it and `Optimizer`, keep in attributes of their own."""
    return {(owner, name): _copy(value) for owner, name, value in _kept(cls)}


def restore(cls: type[Optimizer], memory: Mapping[tuple[type, str], object]) -> None:
    """Lets a class forget what it did not know when the `memory` was taken."""
    for owner, name, _ in list(_kept(cls)):
        if (owner, name) not in memory:
            delattr(owner, name)
    for (owner, name), value in memory.items():
        setattr(owner, name, _copy(value))


_CAN_REMEMBER = (dict, list, set, np.ndarray, int, float, type(None))


def _kept(cls: type[Optimizer]) -> Iterator[tuple[type, str, object]]:
    for owner in cls.__mro__[: cls.__mro__.index(Optimizer)]:
        for name, value in vars(owner).items():
            if isinstance(value, _CAN_REMEMBER) and not name.startswith("__"):
                yield owner, name, value


def _copy(value: object) -> object:
    try:
        return deepcopy(value)
    except TypeError:  # A lock or an open file is no memory of a run.
        return value


def require(holds: bool, otherwise: str) -> None:
    """Complains unless something holds."""
    if not holds:
        raise ConformanceError(otherwise)


def require_equal(found: Sequence[Point], expected: Sequence[Point], otherwise: str) -> None:
    """Complains unless points are equal, bit for bit, and says where they are not."""
    a: NDArray[np.float64] = np.array(found)
    b: NDArray[np.float64] = np.array(expected)
    if not np.array_equal(a, b):
        first = int(np.argmax((a != b).any(axis=1)))
        raise ConformanceError(f"{otherwise}: point {first} is {a[first]} and should be {b[first]}")


def expect(error: type[OptimizerError], action: Callable[[], object], otherwise: str) -> None:
    """Complains unless an action raises an error of that kind."""
    try:
        action()
    except error:
        return
    except Exception as other:
        raise ConformanceError(f"where {error.__name__} is due, {type(other).__name__} is raised: {other}") from other
    raise ConformanceError(otherwise)
