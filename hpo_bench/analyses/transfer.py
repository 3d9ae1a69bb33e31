"""Does what validation picks hold on test? The study's Figure 4 and appendix H, on stored runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import counted
from hpo_bench.statistics.cube import Cube
from hpo_bench.statistics.intervals import Intervals
from hpo_bench.statistics.ratios import mean_regret
from landscapes.landscape import Landscape

Array = NDArray[np.float64]
FRACTION = "fraction correct"
"""Units of a card whose scores are shares of answers, a hundredth of which is a point."""


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """Regret of the best setting so far by validation score, on both splits.

    Attributes:
        landscapes: Names of those that were recorded on both.
        validation: For each optimiser, on each landscape, regret on validation, shape (seeds, budget).
        test: For each optimiser, on each landscape, test regret of the very same settings, same shapes. Both are
            fractions of the range of that split's landscape.
        agreement: Rank correlation of both splits over the recorded settings of each landscape.
        range: Of the test split of each landscape, in score units.
    """

    landscapes: tuple[str, ...]
    validation: Mapping[str, Mapping[str, Array]]
    test: Mapping[str, Mapping[str, Array]]
    agreement: Mapping[str, float]
    range: Mapping[str, float]


def measure(landscapes: Sequence[Landscape], runs: pd.DataFrame) -> Transfer:
    """Follow every run's incumbents on both splits.

    Args:
        landscapes: Those that were run; those without test scores are left out.
        runs: The table of `benchmark.runs`.
    """
    validation: dict[str, dict[str, Array]] = {}
    test: dict[str, dict[str, Array]] = {}
    agreement: dict[str, float] = {}
    ranges: dict[str, float] = {}
    for landscape in landscapes:
        try:
            other = landscape.on("test")
        except ValueError:  # not recorded, or flat
            continue
        mine = runs[runs["landscape"] == landscape.name]
        if mine.empty or other is landscape:
            continue
        ranges[landscape.name] = other.range
        agreement[landscape.name] = float(
            np.corrcoef(rankdata(landscape.grid.scores), rankdata(_in_order(landscape, other)))[0, 1]
        )
        X = mine[list(landscape.space.names)].to_numpy(np.float64)
        # Within rounding of the box, as the stored settings are.
        mine = mine.assign(there=other.regret(other.score(np.clip(X, other.space.low, other.space.high))))
        here, there = Cube.of(mine, "score"), Cube.of(mine, "there")
        for optimizer in here.optimizers:
            scores = here.curve(landscape.name, optimizer)
            held = _incumbent(scores)
            rows = np.arange(len(scores))[:, None]
            validation.setdefault(optimizer, {})[landscape.name] = landscape.regret(scores[rows, held])
            test.setdefault(optimizer, {})[landscape.name] = there.curve(landscape.name, optimizer)[rows, held]
    return Transfer(tuple(agreement), validation, test, agreement, ranges)


def join(parts: Sequence[Transfer]) -> Transfer:
    """What was measured of different landscapes, as one."""
    validation: dict[str, dict[str, Array]] = {}
    test: dict[str, dict[str, Array]] = {}
    for part in parts:
        for whole, mine in ((validation, part.validation), (test, part.test)):
            for optimizer, curves in mine.items():
                whole.setdefault(optimizer, {}).update(curves)
    agreement = {name: value for part in parts for name, value in part.agreement.items()}
    ranges = {name: value for part in parts for name, value in part.range.items()}
    return Transfer(tuple(agreement), validation, test, agreement, ranges)


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
    chosen = [landscape for landscape in landscapes if landscape.name in found.landscapes]
    correct = all(landscape.card.units == FRACTION for landscape in chosen)
    unit = np.array([100 * (found.range[landscape.name] if correct else 1.0) for landscape in chosen])
    lost = {
        point: {
            optimizer: unit[:, None]
            * np.stack([curves[one.name][:, -1 if point == "end" else int(point) - 1] for one in chosen])
            for optimizer, curves in found.test.items()
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


def _in_order(landscape: Landscape, other: Landscape) -> Array:
    """Test scores at the very settings of the validation grid."""
    return other.score(landscape.grid.X)


def table(found: Transfer, labels: Mapping[str, str]) -> TextTable:
    """Mean regret over landscapes and seeds at the end, on both splits, and how far the two fall together."""
    rows = []
    for optimizer in sorted(found.test, key=lambda one: _end(found.test[one])):
        mine, theirs = found.validation[optimizer], found.test[optimizer]
        falls = [
            float(np.corrcoef(rankdata(mine[name].mean(0)), rankdata(theirs[name].mean(0)))[0, 1])
            for name in mine
            if np.ptp(mine[name].mean(0)) > 0 < np.ptp(theirs[name].mean(0))
        ]
        worse = sum(theirs[name][:, -1].mean() > theirs[name][:, theirs[name].shape[1] // 4].mean() for name in mine)
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
    if not found.agreement:
        return "No landscape was recorded on both splits."
    values = np.array(list(found.agreement.values()))
    return (
        f"Rank correlation of validation and test over recorded settings: median {np.median(values):.2f}, least "
        f"{values.min():.2f}, over {counted(len(values), 'landscape')}."
    )


def _end(regret: Mapping[str, Array]) -> float:
    return float(np.mean([one[:, -1].mean() for one in regret.values()]))
