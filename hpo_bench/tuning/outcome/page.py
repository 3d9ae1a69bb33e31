"""A study as one self-contained page."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hpo_bench.display import page
from hpo_bench.display.figures import encode
from hpo_bench.display.page import PNG, Shown
from hpo_bench.display.table import Row, TextTable
from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.files import write
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95
from hpo_bench.tuning.origin import StudyOrigin
from hpo_bench.tuning.outcome import figures
from hpo_bench.tuning.outcome.baselines import answers_path
from hpo_bench.tuning.outcome.posterior import TradeOff, beliefs, recommend, trade_offs
from hpo_bench.tuning.outcome.result import ScoredMerge, TuningResult
from hpo_bench.tuning.outcome.summary import answered, sentences
from hpo_bench.tuning.progress import PARTS, Overhead
from hpo_bench.tuning.race import describe
from hpo_bench.tuning.storage.answers import read_answers
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Trial

FILE = "report.html"
TRAJECTORY = "Validation scores of all trials in order, with the highest so far"
LANDSCAPE = "Posterior mean over both coefficients with the trials on it"
FRONT = "Scores of all trials in both goals, with the Pareto front and the limit"
SHOWN = 12
"""So many answers are shown side by side, of those that the merge gained and of those that it lost."""


@dataclass(frozen=True, slots=True)
class Change:
    """How a category of test examples fared.

    Attributes:
        category: Its name.
        examples: How many there are.
        before: Mean score of the base VLM.
        after: Mean score of the recommended merge.
        gained: How many the merge scores higher.
        lost: How many it scores lower.
    """

    category: str
    examples: int
    before: float
    after: float
    gained: int
    lost: int


def write_report(store: TrialStore) -> Path:
    """Write the page to `report.html` in the study's folder.

    Raises:
        TuningError: If the study has no result yet, or its answers cannot be read.
    """
    folder, config = store.folder, store.begun
    result = TuningResult.read(folder)
    if result is None:
        raise TuningError(f"study {store.name} is not finished; give the command that tunes it once more")
    trials = store.trials()
    held = beliefs(config, trials)
    chosen = recommend(held)
    source = f"Study {store.name} of pair {config.pair}: real merges, evaluated example by example."
    front = trade_offs(held)
    drawn = {
        "trajectory": (figures.trajectory(trials, chosen), TRAJECTORY, ""),
        "landscape": (figures.landscapes(config, trials, chosen), LANDSCAPE, _on_the_map(result)),
        **({"front": (figures.front(front, chosen, result), FRONT, "")} if front else {}),
    }
    before, after = (_answers(folder, line) for line in (_base(result), result.merges[0]))
    text = page.render(
        "hpo_bench.tuning.outcome",
        title=f"{store.name}: a tuned merge",
        pair=config.pair,
        command=shlex.join(StudyOrigin.read(folder).command),
        result=result,
        lines=[(line, describe(MergeSetting(**line.setting))) for line in result.merges],
        sentences=sentences(result),
        answered=answered,
        z95=Z95,
        figures={
            name: Shown(name, encode(figure, source)["png"], PNG, caption, alt)
            for name, (figure, alt, caption) in drawn.items()
        },
        changes=_changes_table(changes(before, after)),
        sides=_sides_table(sides(before, after)),
        costs=_costs(trials),
        front=_front_table(front, result),
        parts=_parts_table(trials, Overhead.read(folder)),
        failures=_failures_table([trial for trial in trials if trial.state == "failed"]),
    )
    write(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))
    return folder / FILE


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
                category, len(own), float(old.mean()), float(new.mean()), int((new > old).sum()), int((new < old).sum())
            )
        )
    return found


def sides(before: Answers, after: Answers) -> list[Mapping[str, Any]]:
    """Answers side by side, where the evaluator generates: first those that the merge gained, then those it lost."""
    if not (before.responses and after.responses):
        return []
    difference = after.scores - before.scores
    gained = [i for i in range(len(before)) if difference[i] > 0][:SHOWN]
    lost = [i for i in range(len(before)) if difference[i] < 0][:SHOWN]
    return [
        {
            "id": before.ids[i],
            "category": before.categories[i],
            "before": before.responses[i],
            "after": after.responses[i],
            "gained": bool(difference[i] > 0),
        }
        for i in (*gained, *lost)
    ]


def _base(result: TuningResult) -> ScoredMerge:
    return next(line for line in result.merges if line.name == "base VLM")


def _answers(folder: Path, line: ScoredMerge) -> Answers:
    return read_answers(answers_path(folder, MergeSetting(**line.setting), "test"))


def _on_the_map(result: TuningResult) -> str:
    words = "Darker dots came later. Inside the white line, a setting is within the noise of one evaluation of the best"
    if result.keep is None:
        return f"{words}."
    lost = f"too much of category {result.keep.category} is lost, on average under the posterior"
    return f"{words}. On the hatched side of the dashed line {lost}."


def _costs(trials: Sequence[Trial]) -> Mapping[str, str]:
    dollars = sum(trial.cost.dollars for trial in trials)
    return {
        "trials": str(len(trials)),
        "seconds merging": f"{sum(trial.cost.merge_seconds for trial in trials):.1f}",
        "seconds evaluating": f"{sum(trial.cost.eval_seconds for trial in trials):.0f}",
        **({"dollars to judges": f"{dollars:.2f}"} if dollars else {}),
    }


def _front_table(front: Sequence[TradeOff], result: TuningResult) -> TextTable | None:
    """The trials that no other beats in both goals; None where there is one goal."""
    if not front or result.keep is None:
        return None
    rows = [
        (str(one.trial.number), describe(one.trial.setting), f"{one.score:.3f}", f"{one.kept:.3f}", f"{one.chance:.0%}")
        for one in front
        if one.best
    ]
    heads = ("trial", "setting", "score", result.keep.category, "chance that enough is kept")
    return TextTable(heads, tuple(Row(head, tuple(cells)) for head, *cells in rows))


def _changes_table(changes: Sequence[Change]) -> TextTable:
    rows = [
        Row(one.category, (str(one.examples), f"{one.before:.3f}", f"{one.after:.3f}", str(one.gained), str(one.lost)))
        for one in changes
    ]
    return TextTable(("category", "examples", "before", "after", "gained", "lost"), tuple(rows))


def _sides_table(sides: Sequence[Mapping[str, Any]]) -> TextTable | None:
    """Answers side by side; None where the evaluator does not generate."""
    rows = [
        Row(one["id"], (one["category"], one["before"], one["after"], "gained" if one["gained"] else "lost"))
        for one in sides
    ]
    return TextTable(("example", "category", "before", "after", ""), tuple(rows)) if rows else None


def _parts_table(trials: Sequence[Trial], overhead: Overhead) -> TextTable:
    """What a trial takes: each part, what it is, mean milliseconds by the wall clock, and of the tuner's processor."""
    done = [trial.cost for trial in trials if trial.told_as is not None]
    merging, evaluating = np.mean([(cost.merge_seconds, cost.eval_seconds) for cost in done], axis=0)
    rows = [
        Row("merge", ("by a worker", f"{1000 * merging:.1f}", "")),
        Row("evaluate", ("by a worker", f"{1000 * evaluating:.1f}", "")),
    ]
    each = 1000 / max(overhead.trials, 1)
    for part, about in PARTS.items():
        rows.append(Row(part, (about, f"{each * overhead.wall[part]:.1f}", f"{each * overhead.processor[part]:.1f}")))
    return TextTable(("part", "what happens", "on the wall clock", "of the tuner's processor"), tuple(rows))


def _failures_table(failed: Sequence[Trial]) -> TextTable | None:
    """Failed trials; None if there are none."""
    rows = [Row(str(trial.number), (trial.kind, trial.reason, trial.log)) for trial in failed]
    return TextTable(("trial", "kind", "reason", "log"), tuple(rows)) if rows else None
