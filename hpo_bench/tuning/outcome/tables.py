"""A study's tables: scores, as terminal, page and model card have them, and what only the page has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import share
from hpo_bench.evaluation.base import Answers
from hpo_bench.merging.methods.base import DENSITY
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95, error_of_difference
from hpo_bench.tuning.outcome.front import TradeOff
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.progress import PARTS, Overhead
from hpo_bench.tuning.space import WEIGHTS
from hpo_bench.tuning.trial import Trial, TrialCost

SHOWN = 12
"""So many answers are shown side by side, of those that the merge gained and of those that it lost."""


def trials_frame(trials: Sequence[Trial], *, keep: bool) -> pd.DataFrame:
    """Trials as a data frame, for Python, for files and for figures.

    Args:
        trials: The trials, running and failed ones included.
        keep: Whether the study has an ability to keep: then there are the score on its category and the margin left.

    Returns:
        One row a trial, in their order, its number as the index: state, method, the hyperparameters (NaN where the
        method has none of the name), score (from 0 to 1) and its standard error, seconds, dollars, what went wrong.
    """
    axes = dict.fromkeys([*WEIGHTS, DENSITY.name, *(name for trial in trials for name in trial.setting.parameters)])
    told = ("score", "standard_error", *(("kept", "margin") if keep else ()))
    cost = [one.name for one in fields(TrialCost)]
    rows = [
        {
            "trial": trial.number,
            "method": trial.setting.method,
            **trial.setting.parameters,
            **asdict(trial.cost),
            **{name: getattr(trial, name) for name in ("state", *told, "kind", "reason")},
        }
        for trial in trials
    ]
    frame = pd.DataFrame(rows, columns=["trial", "state", "method", *axes, *told, *cost, "kind", "reason"])
    return frame.astype(dict.fromkeys((*axes, *told, *cost), float)).set_index("trial")


@dataclass(frozen=True, slots=True)
class Change:
    """How a category of test examples fared.

    Attributes:
        category: Its name.
        examples: How many there are.
        before: Mean score of the base VLM.
        after: Mean score of the recommended merge.
        error: Standard error of the difference, paired over examples; see `error_of_difference`.
        gained: How many the merge scores higher.
        lost: How many it scores lower.
    """

    category: str
    examples: int
    before: float
    after: float
    error: float
    gained: int
    lost: int

    @property
    def difference(self) -> str:
        """`+0.125 ± 0.040`: what the merge has more, with half of its 95% interval."""
        return around(self.after - self.before, self.error)


def changes(before: Answers, after: Answers) -> list[Change]:
    """What the merge gained and lost, category by category.

    Args:
        before: The base VLM's answers.
        after: The merge's, to the same examples.
    """
    found = []
    for category in sorted(set(before.categories)):
        own = [i for i, one in enumerate(before.categories) if one == category]
        old, new = before.scores[own], after.scores[own]
        found.append(
            Change(
                category,
                len(own),
                float(old.mean()),
                float(new.mean()),
                error_of_difference(new - old),
                int((new > old).sum()),
                int((new < old).sum()),
            )
        )
    return found


def sides(before: Answers, after: Answers) -> list[Mapping[str, Any]]:
    """Answers side by side, empty texts where the evaluator gives none: what the merge gained, then what it lost."""
    said = [one.responses or ("",) * len(one) for one in (before, after)]
    difference = after.scores - before.scores
    gained = [i for i in range(len(before)) if difference[i] > 0][:SHOWN]
    lost = [i for i in range(len(before)) if difference[i] < 0][:SHOWN]
    return [
        {
            "id": before.ids[i],
            "category": before.categories[i],
            "before": said[0][i],
            "after": said[1][i],
            "gained": bool(difference[i] > 0),
        }
        for i in (*gained, *lost)
    ]


def spoken(answers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of the answers side by side has a text."""
    return any(one["before"] or one["after"] for one in answers)


def tables(
    result: TuningResult,
    *,
    changes: Sequence[Change],
    answers: Sequence[Mapping[str, Any]],
    front: Sequence[TradeOff],
    trials: Sequence[Trial],
    overhead: Overhead,
) -> dict[str, tuple[str, TextTable]]:
    """Every table of the page, by name with its title; one without rows says nothing.

    Args:
        result: What came of the study.
        changes: How categories fared.
        answers: Answers side by side.
        front: Trials in both goals, where something is to be kept.
        trials: All of them.
        overhead: What the tuner itself took.
    """
    rows = {
        "front": ("What keeping costs", 2, *_front(result, front)),
        "categories": (
            "Before and after, by category",
            1,
            ("category", "examples", "before", "after", "difference ±\u00a095%", "gained", "lost"),
            [
                (
                    one.category,
                    one.examples,
                    f"{one.before:.3f}",
                    f"{one.after:.3f}",
                    one.difference,
                    one.gained,
                    one.lost,
                )
                for one in changes
            ],
        ),
        "answers": (
            "Answers before and after",
            5,
            ("example", "category", *(("before", "after") if spoken(answers) else ()), "what became of it"),
            [
                (
                    one["id"],
                    one["category"],
                    *((one["before"], one["after"]) if spoken(answers) else ()),
                    "gained" if one["gained"] else "lost",
                )
                for one in answers
            ],
        ),
        "parts": (
            "What a trial takes",
            2,
            ("part", "what happens", "on the wall clock, ms", "of the tuner’s processor, ms"),
            _parts(trials, overhead),
        ),
        "failures": (
            "Failures",
            4,
            ("trial", "kind", "reason", "log"),
            [(one.number, one.kind, one.reason, one.log) for one in trials if one.state == "failed"],
        ),
    }
    return {
        "scores": ("Scores", scores(result)),
        **{
            name: (title, TextTable(columns, tuple(Row(*_texts(line)) for line in lines), words))
            for name, (title, words, columns, lines) in rows.items()
        },
    }


def scores(result: TuningResult, said: Callable[[MergeSetting], str] = lambda setting: setting.named) -> TextTable:
    """What the recommended merge scores, and what it is compared with.

    Args:
        result: What came of the study.
        said: How a setting is written.
    """
    first = result.title(result.merges[0])
    heads = [
        "tuned on" if result.cross_fitted else "validation",
        f"{result.head} ±\u00a095%",
        f"{first} is better by ±\u00a095%",
    ]
    if result.keep is not None:
        heads += [f"{result.keep.category}, {result.head}", "below the VLM ±\u00a095%"]
    rows = []
    for place, one in enumerate(result.merges):
        cells = [
            said(MergeSetting(**one.setting)),
            f"{one.validation:.3f}",
            around(one.test, one.test_error, sign=""),
            around(one.behind, one.behind_error) if place else "",
        ]
        if one.kept is not None:
            cells += [f"{one.kept.test:.3f}", around(one.kept.lost, one.kept.lost_error)]
        rows.append(Row(result.title(one), tuple(cells), strong=place == 0))
    return TextTable(("merge", "setting", *heads), tuple(rows), words=2)


def _texts(line: Sequence[object]) -> tuple[str, tuple[str, ...]]:
    head, *cells = ("" if cell is None else str(cell) for cell in line)
    return head, tuple(cells)


def around(value: float, error: float, *, sign: str = "+") -> str:
    """`+0.125 ± 0.040`, with half of a 95% interval; without where one example leaves the error unknown.

    Args:
        value: A score, or a difference of two.
        error: Its standard error, or NaN.
        sign: "+" where what is positive has a sign.
    """
    told = f"{value:{sign}.3f}"
    return f"{told} ± {Z95 * error:.3f}" if np.isfinite(error) else told


def _front(result: TuningResult, front: Sequence[TradeOff]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    heads = ("trial", "setting", "score", result.keep.category if result.keep else "", "chance that enough is kept")
    lines: list[tuple[object, ...]] = [
        (one.trial.number, one.trial.setting.named, f"{one.score:.3f}", f"{one.kept:.3f}", share(one.chance))
        for one in front
        if one.best
    ]
    return heads, lines


def _parts(trials: Sequence[Trial], overhead: Overhead) -> list[tuple[object, ...]]:
    """What a trial takes: each part, what it is, mean milliseconds by the wall clock, and of the tuner's processor."""
    done = [trial for trial in trials if trial.told_as is not None]
    found: list[tuple[object, ...]] = [
        ("merge", "by a worker", f"{1000 * float(np.mean([trial.cost.merge_seconds for trial in done])):.1f}", ""),
        ("evaluate", "by a worker", f"{1000 * float(np.mean([trial.cost.eval_seconds for trial in done])):.1f}", ""),
    ]
    each = 1000 / max(overhead.trials, 1)
    return found + [
        (part, about, f"{each * overhead.wall[part]:.1f}", f"{each * overhead.processor[part]:.1f}")
        for part, about in PARTS.items()
    ]
