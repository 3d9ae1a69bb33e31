"""What an optimiser proposes, checked: a stranger's class may raise or return anything."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizers.errors import OptimizerError, ProtocolError, is_ours, traced


def proposed(kind: type[Any], optimizers: Sequence[Any]) -> list[NDArray[np.float64]]:
    """One new point for each run, by its class; finite, but perhaps outside the cube.

    Args:
        kind: The class of all of them, an `Optimizer`.
        optimizers: The runs; of none, it is not asked.

    Raises:
        ProtocolError: If it raises, which is said with its line, of which no other process knows, or returns anything
            but a point for each run.
    """
    if not optimizers:
        return []
    try:
        proposals = kind._propose(optimizers)
    except (OptimizerError, MemoryError):
        raise
    except Exception as error:
        if is_ours(kind):
            raise
        raise ProtocolError(f"{kind.__name__} raised {traced(error, kind)}") from error
    if not isinstance(proposals, Sequence | np.ndarray) or len(proposals) != len(optimizers):
        raise ProtocolError(f"{kind.__name__}._propose must return a point for each of {len(optimizers)} runs")
    return [as_point(kind, one, optimizer.dim) for one, optimizer in zip(proposals, optimizers, strict=True)]


def as_point(kind: type[Any], proposal: object, dim: int) -> NDArray[np.float64]:
    """What was proposed, if it is a finite point; before clipping, which would make a corner of an infinity."""
    try:
        if proposal is None:
            raise TypeError("nothing is returned")
        point = np.array(proposal, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        point = None
    if point is None or point.shape != (dim,) or not np.isfinite(point).all():
        shown = repr(proposal) if point is None else str(point)
        raise ProtocolError(
            f"{kind.__name__} proposed {shown[:80]}, which is no point in {dim}-D; return an array of {dim} numbers "
            "from 0 to 1"
        )
    return point
