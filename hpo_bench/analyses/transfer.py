"""Does what validation picks hold on test? The study's Figure 4 and appendix H, on stored runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import counted
from hpo_bench.statistics.cube import Cube, column_of
from hpo_bench.statistics.intervals import Intervals
from hpo_bench.statistics.ratios import mean_regret
from landscapes.landscape import Landscape

Array = NDArray[np.float64]
FRACTION = "fraction correct"
"""Units of a card whose scores are shares of answers, a hundredth of which is a point."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Regret, without noise, of the best setting so far by validation score, on both splits of one landscape.

    Attributes:
        validation: For each optimiser, regret on validation, shape (seeds, budget).
        test: Test regret of the very same settings, same shapes. Both are fractions of the range of that split's
            landscape.
        agreement: Rank correlation of both splits over the recorded settings.
        range: Of the test split, in score units.
    """

    validation: Mapping[str, Array]
    test: Mapping[str, Array]
    agreement: float
    range: float


Transfer = Mapping[str, Followed]
"""By name of the landscape, of those whose test scores make a surface over the box; the same optimisers on each."""


def optimizers_of(found: Transfer) -> list[str]:
    """Who was followed."""
    return list(next(iter(found.values())).test) if found else []


def follow(landscape: Landscape, runs: pd.DataFrame) -> Followed | None:
    """Follow every run's incumbents on both splits.

    The incumbent is the setting with the best score that the run was told, noise included where there was any; its
    regrets are without noise.

    Args:
        landscape: The one that was run.
        runs: The table of `benchmark.runs`.

    Returns:
        None without runs on it, or test scores.
    """
    mine = runs[runs["landscape"] == landscape.name]
    try:
        other = landscape.on("test")
    except ValueError:  # not recorded, or flat
        return None
    if mine.empty or other is landscape:
        return None
    # Within rounding of the box, as the stored settings are.
    columns = list(map(column_of, landscape.space.names))
    X = np.clip(mine[columns].to_numpy(np.float64), landscape.space.low, landscape.space.high)
    mine = mine.assign(here=landscape.regret(landscape.score(X)), there=other.regret(other.score(X)))
    seen, here, there = (Cube.of(mine, column) for column in ("score", "here", "there"))
    validation, test = {}, {}
    for optimizer in seen.optimizers:
        scores = seen.curve(landscape.name, optimizer)
        chosen = np.arange(len(scores))[:, None], _incumbent(scores)
        validation[optimizer] = here.curve(landscape.name, optimizer)[chosen]
        test[optimizer] = there.curve(landscape.name, optimizer)[chosen]
    both = rankdata(landscape.grid.scores), rankdata(other.score(landscape.grid.X))
    return Followed(validation, test, float(np.corrcoef(*both)[0, 1]), other.range)


def losses(found: Transfer, landscapes: Sequence[Landscape], points: Sequence[str], *, reference: str) -> dict:
    """What the setting that validation picks loses on test examples, against the best that there is for them.

    Args:
        found: Every run's incumbents on both splits.
        landscapes: Those that were run.
        points: After how many evaluations, or "end".
        reference: Whose loss is compared with the others'.

    Returns:
        Plain JSON values: on how many landscapes, the unit (points of a score that is a fraction correct, otherwise
        per cent of the test split's range), and for each point and optimiser the mean with its 95% interval (`at`), and
        how much more it loses than the reference, with that of the paired difference (`saved`).
    """
    chosen = [landscape for landscape in landscapes if landscape.name in found]
    correct = all(landscape.card.units == FRACTION for landscape in chosen)
    unit = np.array([100 * (found[landscape.name].range if correct else 1.0) for landscape in chosen])
    lost = {
        point: {
            optimizer: unit[:, None]
            * np.stack([found[one.name].test[optimizer][:, -1 if point == "end" else int(point) - 1] for one in chosen])
            for optimizer in optimizers_of(found)
        }
        for point in points
    }
    pairs = [landscape.card.pair for landscape in chosen]
    unit_name = "points" if correct else "% of the range"
    return {"landscapes": len(chosen), "unit": unit_name, **in_short(lost, pairs, reference=reference)}


def in_short(lost: Mapping[str, Mapping[str, Array]], pairs: Sequence[str], *, reference: str) -> dict:
    """Means of losses with 95% intervals over pairs, and how much more each optimiser loses than the reference.

    Args:
        lost: For each point and optimiser, shape (landscapes, seeds).
        pairs: The pair of each landscape.
        reference: Whose loss is compared with the others'.

    Returns:
        Plain JSON values: `at` and `saved`, by point and optimiser.
    """
    intervals, ones = Intervals(pairs), np.ones(len(pairs))
    at = {
        point: {one: intervals.of(mean_regret, own, ones).as_json() for one, own in by.items()}
        for point, by in lost.items()
    }
    saved = {
        point: {
            one: intervals.difference(theirs, by[reference], ones).as_json()
            for one, theirs in by.items() if one != reference
        }
        for point, by in lost.items()
    }  # fmt: skip
    return {"at": at, "saved": saved}


def _incumbent(scores: Array) -> NDArray[np.intp]:
    """Which evaluation is the best so far after each one, shape (seeds, budget); a failed one never is."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    best = np.maximum.accumulate(known, axis=1)
    newer = np.concatenate([np.ones((len(scores), 1), bool), known[:, 1:] > best[:, :-1]], axis=1)
    return np.maximum.accumulate(np.where(newer, np.arange(scores.shape[1]), 0), axis=1)


def table(found: Transfer, labels: Mapping[str, str]) -> TextTable:
    """Mean regret over landscapes and seeds at the end, on both splits, and how far the two fall together."""
    rows = []
    test = {optimizer: [one.test[optimizer] for one in found.values()] for optimizer in optimizers_of(found)}
    for optimizer in sorted(test, key=lambda one: _end(test[one])):
        mine, theirs = [one.validation[optimizer] for one in found.values()], test[optimizer]
        means = [(here.mean(0), there.mean(0)) for here, there in zip(mine, theirs, strict=True)]
        falls = [
            float(np.corrcoef(rankdata(here), rankdata(there))[0, 1])
            for here, there in means
            if np.ptp(here) > 0 < np.ptp(there)
        ]
        worse = sum(there[-1] > there[max(len(there) // 4, 1) - 1] for _, there in means)
        rows.append(
            Row(
                labels.get(optimizer, optimizer),
                (
                    f"{_end(mine):.3f}",
                    f"{_end(theirs):.3f}",
                    f"{np.median(falls):.2f}" if falls else "-",
                    f"{worse} of {len(mine)}",
                ),
                optimizer,
            )
        )
    columns = (
        "optimiser", "regret on validation, end", "regret on test of what validation picked",
        "rank correlation of both curves", "landscapes where the last three quarters made test worse",
    )  # fmt: skip
    return TextTable(columns, tuple(rows))


def agreement_sentence(found: Transfer) -> str:
    """How far validation and test rank the recorded settings alike."""
    if not found:
        return "No landscape has test scores that make a surface over its whole box, so nothing is said of them."
    values = np.array([one.agreement for one in found.values()])
    return (
        f"Rank correlation of validation and test over recorded settings: median {np.median(values):.2f}, least "
        f"{values.min():.2f}, over {counted(len(values), 'landscape')}."
    )


def _end(regret: Sequence[Array]) -> float:
    return float(np.mean([one[:, -1].mean() for one in regret]))
