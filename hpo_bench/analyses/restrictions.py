"""What a restriction of the coefficients' sum costs: the study's Table 3 on our grids.

Relative regret is 100 (best over the grid - best with the restriction) / best over the grid, by test scores as in the
study. On a noisy grid it is positive even where the restriction costs nothing, since a maximum over more settings is
luckier. So beside it stands what the same restriction costs, on test, the settings that validation picks: that has no
such bias, and a standard error from the per-example difference of the two winners; within two of them it is no cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_bench.analyses import paper
from hpo_bench.display.table import TextTable
from hpo_bench.display.words import METHODS, UNDEFINED, figure
from landscapes.landscape import Landscape
from landscapes.trust import MARK

WITHIN = {"sum_to_one": 0.0, "relaxed_sum": 0.2}
"""How far the sum of both coefficients may be from 1, by the restriction's name in the study's table."""
LABELS = {"sum_to_one": "sum = 1", "relaxed_sum": "sum within 0.2 of 1"}
Array = NDArray[np.float64]

COEFFICIENTS = ("vl_weight", "exp_weight")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a restriction costs on one landscape.

    Attributes:
        landscape: Its name.
        method: ta, dare or ties.
        restriction: sum_to_one or relaxed_sum.
        percent: Relative regret in %, the winners picked by the very scores that are compared; never negative.
        picked: The same in % where validation picks the winners and test compares them; NaN where not recorded.
        error: Standard error of `picked`.
        weak: Whether the landscape is.
    """

    landscape: str
    method: str
    restriction: str
    percent: float
    picked: float
    error: float
    weak: bool

    @property
    def visible(self) -> bool:
        """Whether the winners that validation picks differ on test by more than two standard errors."""
        return bool(self.picked > 2 * self.error)


def costs(landscapes: Sequence[Landscape]) -> list[Cost]:
    """Relative regret of both restrictions on every landscape that has both coefficients, on its test split if any.

    Landscapes with no recorded setting within a restriction, or with a best score that is not positive, have none.
    """
    found = []
    for landscape in landscapes:
        if not set(COEFFICIENTS) <= set(landscape.space.names):
            continue
        seen = on_most_examples(landscape)
        total = seen.grid.X[:, [seen.space.names.index(name) for name in COEFFICIENTS]].sum(axis=1)
        top, weak = float(seen.grid.scores.max()), bool(landscape.weaknesses)
        for restriction, within in WITHIN.items():
            allowed = np.abs(total - 1) <= within + 1e-9
            if not allowed.any() or top <= 0:
                continue
            percent = 100 * (top - float(seen.grid.scores[allowed].max())) / top
            compared, error = float("nan"), float("nan")
            if seen is not landscape and seen.outcomes is not None and np.array_equal(landscape.grid.X, seen.grid.X):
                compared, error = picked(landscape.grid.scores, seen.outcomes.correct, allowed)
            found.append(Cost(landscape.name, landscape.card.method, restriction, percent, compared, error, weak))
    return found


def picked(tuned: Array, correct: Array, allowed: NDArray[np.bool_]) -> tuple[float, float]:
    """What a restriction costs where one split picks the winners and another compares them.

    Args:
        tuned: Scores on the split that picks, of shape (n,).
        correct: Per-example scores on the other, of shape (n, m).
        allowed: Which settings the restriction leaves, of shape (n,).

    Returns:
        The cost in % of the unrestricted winner's score, and its standard error.
    """
    free, kept = int(np.argmax(tuned)), int(np.argmax(np.where(allowed, tuned, -np.inf)))
    lost = correct[free] - correct[kept]
    top = float(correct[free].mean())
    if top <= 0:
        return float("nan"), float("nan")
    return 100 * float(lost.mean()) / top, 100 * float(lost.std(ddof=1)) / np.sqrt(len(lost)) / top


def on_most_examples(landscape: Landscape) -> Landscape:
    """The landscape on its test split, which has four times the examples; as it is where that was not recorded."""
    try:
        return landscape.on("test")
    except ValueError:  # not recorded, or flat
        return landscape


def table(found: Sequence[Cost]) -> TextTable:
    """One row a landscape."""
    by_name: dict[str, dict[str, Cost]] = {}
    for cost in found:
        by_name.setdefault(cost.landscape, {})[cost.restriction] = cost
    rows = []
    for name, of in by_name.items():
        mark = MARK if any(cost.weak for cost in of.values()) else ""
        rows.append((name + mark, *(cell for one in WITHIN for cell in _cells(of.get(one)))))
    heads = (f"{LABELS[one]}: {what}" for one in WITHIN for what in ("regret %", "picked on validation, % ± 2 SE"))
    return TextTable.of(("landscape", *heads), rows)


def _cells(cost: Cost | None) -> tuple[str, str]:
    if cost is None:
        return UNDEFINED, UNDEFINED
    doubt = "" if np.isnan(cost.picked) else f" ± {2 * cost.error:.1f}"
    return f"{cost.percent:.1f}", figure(cost.picked) + doubt


def seen(found: Sequence[Cost]) -> str:
    """On how many landscapes a restriction's cost is visible, of those where that was recorded; a dash for none."""
    known = [cost for cost in found if not np.isnan(cost.picked)]
    return f"{sum(cost.visible for cost in known)} of {len(known)}" if known else UNDEFINED


def side_by_side(found: Sequence[Cost]) -> TextTable:
    """By method and restriction: median and worst relative regret, and how often it is zero, here and in the study."""
    theirs = paper.restriction_costs()
    rows = []
    for method, label in METHODS.items():
        for restriction in WITHIN:
            ours = [cost for cost in found if (cost.method, cost.restriction) == (method, restriction)]
            there = theirs[(theirs["method"] == label) & (theirs["restriction"] == restriction)]
            if ours and len(there):
                here = np.array([cost.percent for cost in ours])
                study = _spread(there["relative_regret_percent"].to_numpy(float))
                rows.append((f"{label}, {LABELS[restriction]}", _spread(here), study, seen(ours)))
    ours = "here beyond 2 SE, picked on validation"
    return TextTable.of(("restriction", "here: median, worst, zero", "the study’s Table 3", ours), rows)


def _spread(values: np.ndarray) -> str:
    return f"{np.median(values):.1f}, {values.max():.1f}, {np.sum(values < 0.05)} of {len(values)}"
