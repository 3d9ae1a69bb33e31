"""The global maximum and minimum of a cheap function over the unit cube, each certified by two searches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import qmc

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

STARTS = 8
"""From how many places each search climbs."""
APART = 0.08
"""How far apart two starts are at least, along some axis; nearer ones mostly lie in the same basin."""
MOST_BITS = 16
"""The sample has at most 2 to this power points, however many axes there are."""
STEP = 1e-6
"""Step of the finite differences, in the unit cube."""


@dataclass(frozen=True, slots=True)
class Extremum:
    """The best point that two independent searches found.

    Attributes:
        x: The point, of shape (d,).
        score: Its score.
        gap: By how much the two searches differ in score. A gap near 0 certifies the extremum: both searches, which
            share neither samples nor a way of climbing, ended as high.
    """

    x: Array
    score: float
    gap: float


def maximum(function: Function, dim: int, *, nodes: Array) -> Extremum:
    """The global maximum over [0, 1]^dim.

    The first search evaluates the nodes and a scrambled Sobol set and climbs by truncated Newton steps (Nash 1984) from
    the best well-separated of them. The second evaluates a Halton set and climbs from its best by Nelder-Mead (1965),
    which needs no derivative and so also handles the kinks of a linear kernel.

    Args:
        function: Takes points of shape (m, dim) in the cube, gives values of shape (m,).
        dim: Number of axes.
        nodes: Points of shape (n, dim) where the function may have kinks: those that it interpolates.

    Returns:
        The better of the two results, with their gap.
    """
    first = _sample_and_climb(function, dim, nodes)
    second = _spread_and_climb(function, dim)
    best = max(first, second, key=lambda found: found[1])
    return Extremum(x=best[0], score=best[1], gap=abs(first[1] - second[1]))


def minimum(function: Function, dim: int, *, nodes: Array) -> Extremum:
    """The global minimum over [0, 1]^dim; arguments as for `maximum`."""
    lowest = maximum(lambda X: -function(X), dim, nodes=nodes)
    return Extremum(x=lowest.x, score=-lowest.score, gap=lowest.gap)


def _sample_and_climb(function: Function, dim: int, nodes: Array) -> tuple[Array, float]:
    # A fixed seed: the extremum is a property of the function and must not vary between calls.
    sample = qmc.Sobol(dim, rng=np.random.default_rng(0)).random_base2(min(10 + dim, MOST_BITS))
    points = np.vstack([nodes, sample])
    values = function(points)
    # Tolerances of the climber are absolute, and scores may come in any unit.
    unit = float(np.ptp(values)) or 1.0
    found = [(points[i], float(values[i])) for i in _peaks(points, values)]

    def loss_and_slope(x: Array) -> tuple[float, Array]:
        # Central differences inside the box, all in one call.
        forward = np.minimum(x + STEP * np.eye(dim), 1.0)
        backward = np.maximum(x - STEP * np.eye(dim), 0.0)
        seen = function(np.vstack([x, forward, backward]))
        width = np.diag(forward) - np.diag(backward)
        return -float(seen[0]) / unit, -(seen[1 : dim + 1] - seen[dim + 1 :]) / width / unit

    for start, _ in list(found):
        # Not L-BFGS-B, whose tiny matrices go to BLAS: with several threads on a busy machine it is ten times slower.
        end = minimize(loss_and_slope, start, jac=True, method="TNC", bounds=[(0.0, 1.0)] * dim)
        top = np.clip(end.x, 0.0, 1.0)
        found.append((top, float(function(top[None])[0])))
    return max(found, key=lambda pair: pair[1])


def _spread_and_climb(function: Function, dim: int) -> tuple[Array, float]:
    # Of a cube wider by a quarter, and brought back to the nearest in the unit cube: many an extremum lies on a face.
    wide = qmc.Halton(dim, scramble=False).random(2 ** min(11 + dim, MOST_BITS))
    points = np.clip(1.25 * wide - 0.125, 0.0, 1.0)
    values = function(points)
    tolerances = {"xatol": 1e-7, "fatol": 1e-10 * (float(np.ptp(values)) or 1.0)}

    def loss(x: Array) -> float:
        return -float(function(x[None])[0])

    found = [(points[i], float(values[i])) for i in _peaks(points, values)]
    for start, _ in list(found):
        end = minimize(loss, start, method="Nelder-Mead", bounds=[(0.0, 1.0)] * dim, options=tolerances)
        found.append((end.x, -float(end.fun)))
    return max(found, key=lambda pair: pair[1])


def _peaks(points: Array, values: Array) -> list[int]:
    """Indices of the best points that keep their distance from one another, best first."""
    chosen: list[int] = []
    for i in np.argsort(-values, kind="stable"):
        if all(np.abs(points[i] - points[j]).max() >= APART for j in chosen):
            chosen.append(int(i))
            if len(chosen) == STARTS:
                break
    return chosen
