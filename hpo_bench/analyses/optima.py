"""Where the optimum lies, by merge method."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.analyses.restrictions import COEFFICIENTS, on_most_examples
from hpo_bench.display.table import TextTable
from hpo_bench.display.words import METHODS, UNDEFINED, figure, significant
from landscapes.landscape import Landscape
from landscapes.space import SearchSpace
from landscapes.trust import MARK

EDGE = 0.01
"""An optimum nearer to a face of the box than this part of its side lies on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where a landscape's optimum lies, on its test split.

    Attributes:
        landscape: Its name.
        method: ta, dare or ties.
        names: Of the hyperparameters.
        x: The certified optimum, of shape (d,), in the parameters' own units.
        on_edge: Which of them lie on a face of the box, so that more of the same might be better still.
        zone: Share of the box that is within twice the noise of a comparison of the optimum; NaN where unknown.
        weak: Whether the landscape is.
    """

    landscape: str
    method: str
    names: tuple[str, ...]
    x: NDArray[np.float64]
    on_edge: tuple[str, ...]
    zone: float
    weak: bool

    @property
    def total(self) -> float:
        """Sum of both coefficients; NaN for landscapes without them."""
        if not set(COEFFICIENTS) <= set(self.names):
            return float("nan")
        return float(sum(self.x[self.names.index(name)] for name in COEFFICIENTS))


def find(landscape: Landscape) -> Optimum:
    """Where the optimum of one landscape lies."""
    seen = on_most_examples(landscape)
    within = 2 * seen.regret_noise / seen.range
    zone = float("nan") if np.isnan(within) else float(np.mean(seen.regret_sample <= within))
    weak = bool(landscape.weaknesses)
    return Optimum(
        landscape.name,
        landscape.card.method,
        seen.space.names,
        seen.optimum.x,
        edges(seen.space, seen.optimum.x),
        zone,
        weak,
    )


def edges(space: SearchSpace, x: NDArray[np.float64]) -> tuple[str, ...]:
    """Hyperparameters of which a setting of shape (d,) lies on a face of the box."""
    place = space.to_unit(x[None])[0]
    return tuple(name for name, u in zip(space.names, place, strict=True) if min(u, 1 - u) < EDGE)


def table(found: Sequence[Optimum]) -> TextTable:
    """One row a landscape."""
    lines = (
        (
            one.landscape + (MARK if one.weak else ""),
            ", ".join(f"{n} {significant(v)}" for n, v in zip(one.names, one.x, strict=True)),
            figure(one.total, ".2f"),
            ", ".join(one.on_edge) or "none",
            figure(one.zone, ".0%"),
        )
        for one in found
    )
    return TextTable.of(("landscape", "optimum (test)", "sum", "on the box’s edge", "box within noise of it"), lines)


def by_method(found: Sequence[Optimum]) -> TextTable:
    """Median and range of each hyperparameter at the optimum, by merge method."""
    rows = []
    for method, label in METHODS.items():
        ours = [one for one in found if one.method == method]
        if not ours or len({one.names for one in ours}) > 1:
            continue
        X = np.array([one.x for one in ours])
        places = [f"{n} {_spread(X[:, i])}" for i, n in enumerate(ours[0].names)]
        totals, zones = np.array([one.total for one in ours]), np.array([one.zone for one in ours])
        weighted = not np.isnan(totals).any()  # all have both coefficients, or none
        near = f"{np.sum(np.abs(totals - 1) <= 0.2)} of {len(ours)}" if weighted else UNDEFINED
        edge = f"{sum(bool(one.on_edge) for one in ours)} of {len(ours)}"
        known = zones[~np.isnan(zones)]
        zone = figure(float(np.median(known)) if len(known) else float("nan"), ".0%")
        rows.append((label, "; ".join(places), _spread(totals) if weighted else UNDEFINED, near, edge, zone))
    columns = (
        "method", "optimum: median (range)", "sum", "sum within 0.2 of 1", "on an edge", "box within noise of it",
    )  # fmt: skip
    return TextTable.of(columns, rows)


def _spread(values: NDArray[np.float64]) -> str:
    middle, low, high = (significant(float(of(values))) for of in (np.median, np.min, np.max))
    return f"{middle} ({low} to {high})"
