"""A study as one self-contained page."""

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from hpo_bench.display.figures import encode
from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.files import write
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95
from hpo_bench.tuning.origin import StudyOrigin
from hpo_bench.tuning.outcome import figures
from hpo_bench.tuning.outcome.baselines import answers_path
from hpo_bench.tuning.outcome.posterior import beliefs, recommend, trade_offs
from hpo_bench.tuning.outcome.result import ScoredMerge, TuningResult
from hpo_bench.tuning.outcome.summary import answered, sentences
from hpo_bench.tuning.progress import PARTS, Overhead
from hpo_bench.tuning.race import describe
from hpo_bench.tuning.storage.answers import read_answers
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Trial

FILE = "report.html"
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
    drawn = {
        "trajectory": figures.trajectory(trials, chosen),
        "landscape": figures.landscapes(config, trials, chosen),
    }
    front = trade_offs(held)
    if front:
        drawn["front"] = figures.front(front, chosen, result)
    before, after = (_answers(folder, line) for line in (_base(result), result.merges[0]))
    environment = Environment(
        loader=PackageLoader("hpo_bench.tuning.outcome", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    text = environment.get_template("page.html.j2").render(
        name=store.name,
        pair=config.pair,
        style=(files("hpo_bench.display") / "page.css").read_text(encoding="utf-8"),
        command=shlex.join(StudyOrigin.read(folder).command),
        result=result,
        lines=[(line, describe(MergeSetting(**line.setting))) for line in result.merges],
        sentences=sentences(result),
        answered=answered,
        z95=Z95,
        figures={name: _data(encode(figure, source)["png"]) for name, figure in drawn.items()},
        changes=changes(before, after),
        sides=sides(before, after),
        costs=_costs(trials),
        front=[(choice, describe(choice.trial.setting)) for choice in front if choice.best],
        parts=_parts(trials, Overhead.read(folder)),
        failures=[trial for trial in trials if trial.state == "failed"],
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


def _costs(trials: Sequence[Trial]) -> Mapping[str, float]:
    return {
        "trials": len(trials),
        "merge": sum(trial.cost.merge_seconds for trial in trials),
        "evaluation": sum(trial.cost.eval_seconds for trial in trials),
        "dollars": sum(trial.cost.dollars for trial in trials),
    }


def _parts(trials: Sequence[Trial], overhead: Overhead) -> Sequence[tuple[str, str, float, float | None]]:
    """What a trial takes: each part, what it is, mean milliseconds by the wall clock, and of the tuner's processor."""
    done = [trial for trial in trials if trial.told_as is not None]
    found: list[tuple[str, str, float, float | None]] = [
        ("merge", "by a worker", 1000 * float(np.mean([trial.cost.merge_seconds for trial in done])), None),
        ("evaluate", "by a worker", 1000 * float(np.mean([trial.cost.eval_seconds for trial in done])), None),
    ]
    each = 1000 / max(overhead.trials, 1)
    return found + [
        (part, about, each * overhead.wall[part], each * overhead.processor[part]) for part, about in PARTS.items()
    ]


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
