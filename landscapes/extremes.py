"""Where a surrogate over a search space is highest and lowest, in the parameters' own units."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscapes.space import SearchSpace
from surrogates import extrema
from surrogates.base import Surrogate
from surrogates.extrema import Extremum

Array = NDArray[np.float64]

MOST_POINTS = 2**15
"""So many whole-numbered points are all looked at."""


def search(space: SearchSpace, surrogate: Surrogate, *, nodes: Array) -> dict[str, dict[str, Any]]:
    """Both extremes, certified, as plain values that `Extremum` takes but for `x`, which is a list.

    Args:
        space: What the cube's axes are.
        surrogate: Fitted in the unit cube.
        nodes: Where it was fitted, of shape (n, d).
    """
    scale, found = surrogate.scale, {}
    for name, end in (("optimum", extrema.maximum), ("minimum", extrema.minimum)):
        one = _extremum(end, space, surrogate, nodes)
        found[name] = {
            "x": space.from_unit(one.x[None])[0].tolist(),
            "score": float(scale.from_standard(one.score)),
            "gap": float(scale.difference(one.gap)),
        }
    return found


def _extremum(end: Callable[..., Extremum], space: SearchSpace, surrogate: Surrogate, nodes: Array) -> Extremum:
    """What a search over the cube finds, in standard units; among whole numbers alone, every one is looked at."""
    counts = [p.high - p.low + 1 for p in space.parameters if p.integer]
    if len(counts) == space.dim and math.prod(counts) <= MOST_POINTS:
        axes = [np.arange(p.low, p.high + 1) for p in space.parameters]
        points = space.to_unit(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, space.dim))
        scores = surrogate.standard(points)
        place = scores.argmax() if end is extrema.maximum else scores.argmin()
        return Extremum(x=points[place], score=float(scores[place]), gap=0.0)
    return end(lambda u: surrogate.standard(space.snapped(u)), space.dim, nodes=nodes)
