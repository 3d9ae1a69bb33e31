"""What a restriction of the coefficients' sum costs: the study's Table 3 on our grids.

Relative regret is 100 (best over the grid - best with the restriction) / best over the grid. On a noisy grid it is
positive even where the restriction costs nothing, since a maximum over more settings is luckier; so each figure comes
with its standard error, from the per-example difference of the two winners, and one within two of them is no cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo_bench import study
from hpo_bench.tables import Row, TextTable
from hpo_bench.wording import METHODS
from landscapes.landscape import Landscape

WITHIN = {"sum_to_one": 0.0, "relaxed_sum": 0.2}
"""How far the sum of both coefficients may be from 1, by the restriction's name in the study's table."""
LABELS = {"sum_to_one": "sum = 1", "relaxed_sum": "sum within 0.2 of 1"}
COEFFICIENTS = ("vl_weight", "exp_weight")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a restriction costs on one landscape.

    Attributes:
        landscape: Its name.
        method: ta, dare or ties.
        restriction: sum_to_one or relaxed_sum.
        percent: Relative regret in %.
        error: Its standard error in %; NaN where outcomes were not recorded.
    """

    landscape: str
    method: str
    restriction: str
    percent: float
    error: float

    @property
    def visible(self) -> bool:
        """Whether it exceeds two standard errors."""
        return bool(self.percent > 2 * np.nan_to_num(self.error))


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
        for restriction, within in WITHIN.items():
            allowed = np.flatnonzero(np.abs(total - 1) <= within + 1e-9)
            if not len(allowed) or seen.grid.scores.max() <= 0:
                continue
            kept = int(allowed[np.argmax(seen.grid.scores[allowed])])
            top, best = float(seen.grid.scores.max()), seen.grid.best
            error = float("nan")
            if seen.outcomes is not None:
                lost = seen.outcomes.correct[best] - seen.outcomes.correct[kept]
                error = 100 * float(lost.std(ddof=1)) / np.sqrt(len(lost)) / top
            percent = 100 * (top - float(seen.grid.scores[kept])) / top
            found.append(Cost(landscape.name, landscape.card.method, restriction, percent, error))
    return found


def on_most_examples(landscape: Landscape) -> Landscape:
    """The landscape on its test split, which has four times the examples; as it is where that was not recorded."""
    try:
        return landscape.on("test")
    except ValueError:  # not recorded, or flat
        return landscape


def table(found: Sequence[Cost]) -> TextTable:
    """One row a landscape; a star where the cost exceeds two standard errors."""
    by_name: dict[str, dict[str, Cost]] = {}
    for cost in found:
        by_name.setdefault(cost.landscape, {})[cost.restriction] = cost
    rows = tuple(Row(name, tuple(_cell(of.get(restriction)) for restriction in WITHIN)) for name, of in by_name.items())
    return TextTable(("landscape", *(f"{LABELS[one]}, regret %" for one in WITHIN)), rows)


def _cell(cost: Cost | None) -> str:
    if cost is None:
        return "-"
    error = "" if np.isnan(cost.error) else f" ± {cost.error:.1f}"
    return f"{cost.percent:.1f}{error}{' *' if cost.visible else ''}"


def side_by_side(found: Sequence[Cost]) -> TextTable:
    """By method and restriction: median and worst relative regret, and how often it is zero, here and in the study."""
    theirs = study.restriction_costs()
    rows = []
    for method, label in METHODS.items():
        for restriction in WITHIN:
            ours = [cost for cost in found if (cost.method, cost.restriction) == (method, restriction)]
            there = theirs[(theirs["method"] == label) & (theirs["restriction"] == restriction)]
            if ours and len(there):
                here = np.array([cost.percent for cost in ours])
                rows.append(
                    Row(
                        f"{label}, {LABELS[restriction]}",
                        (
                            _spread(here),
                            _spread(there["relative_regret_percent"].to_numpy(float)),
                            f"{sum(cost.visible for cost in ours)} of {len(ours)}",
                        ),
                    )
                )
    columns = ("restriction", "here: median, worst, zero", "the study’s Table 3", "here above two standard errors")
    return TextTable(columns, tuple(rows))


def _spread(values: np.ndarray) -> str:
    return f"{np.median(values):.1f}, {values.max():.1f}, {np.sum(values < 0.05)} of {len(values)}"
