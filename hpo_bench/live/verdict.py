"""The end of a study: what was found, against what was there before, on examples that nobody tuned on."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hpo_bench.errors import LiveError
from hpo_bench.evaluation.examples import SPLITS
from hpo_bench.live.brake import Brake
from hpo_bench.live.contest import paired_difference
from hpo_bench.live.crew import Crew, Finished, Lost
from hpo_bench.live.outcomes import read_answers, write_answers
from hpo_bench.live.store import TrialStore
from hpo_bench.live.trial import Answers, Failure, Job, plain
from hpo_bench.live.zone import beliefs, recommend, zone
from hpo_bench.merging.setting import MergeSetting

FILE = "verdict.json"
Z95 = 1.96
ATTEMPTS = 2
REFERENCES = {
    "base VLM": MergeSetting("ta", 1.0, 0.0),
    "expert swapped in": MergeSetting("ta", 0.0, 1.0),
    "half and half": MergeSetting("ta", 0.5, 0.5),
}
"""What a user has without tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One merge, scored on both splits.

    Attributes:
        name: What it is called.
        setting: Its method and hyperparameters.
        validation: Mean score on the examples that were tuned on.
        test: Mean score on the others.
        test_error: Standard error of the test score.
        behind: How much the recommended setting scores above it on the same test examples; 0 for itself.
        behind_error: Standard error of that, paired over examples.
        behind_validation: The same on validation examples.
    """

    name: str
    setting: Mapping[str, Any]
    validation: float
    test: float
    test_error: float
    behind: float
    behind_error: float
    behind_validation: float

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the test score."""
        return self.test - Z95 * self.test_error, self.test + Z95 * self.test_error

    @property
    def gap(self) -> tuple[float, float]:
        """95% interval of how much the recommended setting scores above it."""
        return self.behind - Z95 * self.behind_error, self.behind + Z95 * self.behind_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a study.

    Attributes:
        trials: How many trials it rests on, failures included.
        recommended: Number of the recommended trial.
        mean: Its posterior mean on validation.
        deviation: The posterior standard deviation.
        reproduced: Whether its answers were, example by example, those of the trial.
        lines: The recommended setting first, then what it is compared with.
        zones: For each method the share of its box that is near-optimal, the ranges, and within what.
    """

    trials: int
    recommended: int
    mean: float
    deviation: float
    reproduced: bool
    lines: tuple[Line, ...]
    zones: Mapping[str, Mapping[str, Any]]

    def write(self, folder: Path) -> None:
        """Write `verdict.json`, whole or not at all."""
        partial = folder / f".{FILE}.partial"
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        os.replace(partial, folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The verdict of a study's folder; None if it has none.

        Raises:
            LiveError: If the file is damaged.
        """
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(**{**values, "lines": tuple(Line(**line) for line in values["lines"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise LiveError(f"{folder / FILE} is damaged; delete it, and the same command makes it again") from error


def judge(store: TrialStore, crew: Crew, brake: Brake, *, beside: Mapping[str, MergeSetting] | None = None) -> Verdict:
    """Score the recommended setting and its rivals on validation and test examples.

    What was scored before is kept in the study's folder and not scored again.

    Args:
        store: A study with at least one complete trial.
        crew: The workers, none of them busy.
        brake: Ends it when pressed.
        beside: Further settings to compare with, by name.

    Raises:
        LiveError: If there is nothing to recommend, or a setting cannot be scored.
        KeyboardInterrupt: If the brake was pressed.
    """
    config = store.config
    if config is None:
        raise LiveError(f"study {store.name!r} was not begun")
    trials = store.trials()
    held = beliefs(config, trials)
    chosen = recommend(held)
    luckiest = max((t for t in trials if t.score is not None), key=lambda trial: trial.score or 0.0)
    settings = {"recommended": chosen.setting}
    if luckiest.number != chosen.trial.number:
        settings["highest score"] = luckiest.setting
    settings |= {**REFERENCES, **(beside or {})}
    scored = _score(store.folder, list(settings.values()), crew, brake)
    best = scored[chosen.setting]
    zones = [one for belief in held if (one := zone(config, belief)) is not None]
    verdict = Verdict(
        trials=len(trials),
        recommended=chosen.trial.number,
        mean=chosen.mean,
        deviation=chosen.deviation,
        reproduced=bool(np.array_equal(best["validation"].scores, store.answers(chosen.trial.number).scores)),
        lines=tuple(_line(name, setting, scored[setting], best) for name, setting in settings.items()),
        zones={z.method: {"share": z.share, "ranges": dict(z.ranges), "within": z.within} for z in zones},
    )
    verdict.write(store.folder)
    return verdict


Both = dict[str, Answers]


def _line(name: str, setting: MergeSetting, scored: Both, best: Both) -> Line:
    behind, error = paired_difference(best["test"], scored["test"])
    return Line(
        name=name,
        setting=plain(setting),
        validation=scored["validation"].score,
        test=scored["test"].score,
        test_error=scored["test"].standard_error,
        behind=behind,
        behind_error=error,
        behind_validation=paired_difference(best["validation"], scored["validation"])[0],
    )


def _score(folder: Path, settings: Sequence[MergeSetting], crew: Crew, brake: Brake) -> dict[MergeSetting, Both]:
    """Answers to all examples of both splits, from files where they are there."""
    todo = [one for one in dict.fromkeys(settings) if not all(answers_path(folder, one, s).exists() for s in SPLITS)]
    attempts: dict[MergeSetting, int] = {}
    busy = 0
    while todo or busy:
        if brake.pressed:
            raise KeyboardInterrupt
        for worker in crew.idle[: len(todo)]:
            setting = todo.pop(0)
            crew.submit(worker, Job(_name(setting), setting, SPLITS))
            busy += 1
        event = crew.poll(0.25)
        if not isinstance(event, Finished | Lost):
            continue
        busy -= 1
        result = event.result if isinstance(event, Finished) else event.failure
        setting = event.job.setting
        if isinstance(result, Failure):
            attempts[setting] = attempts.get(setting, 0) + 1
            if attempts[setting] >= ATTEMPTS:
                raise LiveError(f"{_name(setting)} cannot be scored on test examples: {result.kind}: {result.reason}")
            todo.append(setting)
            continue
        for split in SPLITS:
            write_answers(answers_path(folder, setting, split), result.answers[split])
    return {one: {split: read_answers(answers_path(folder, one, split)) for split in SPLITS} for one in settings}


def _name(setting: MergeSetting) -> str:
    # Every digit, as neighbouring settings must not share a file.
    return "_".join([setting.method, *(repr(value) for value in setting.parameters.values())])


def answers_path(folder: Path, setting: MergeSetting, split: str) -> Path:
    """Where a study's folder keeps what a merge of its verdict answered."""
    return folder / "test" / f"{_name(setting)}.{split}.parquet"
