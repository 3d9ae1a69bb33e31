"""The end of a study: what was found, against what was there before, on examples that nobody tuned on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import VALIDATION_SHARE
from hpo_bench.files import read_record, write
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.statistics.examples import Z95, error_of_difference, error_of_mean
from hpo_bench.tuning.budget import time_limit
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.outcome import baselines
from hpo_bench.tuning.outcome.distinction import LEVEL, chance_of_luck
from hpo_bench.tuning.outcome.posterior import NearOptimal, beliefs, near_optimal, recommend
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import differences, plain
from hpo_bench.tuning.workers.base import WorkerPool
from hpo_bench.tuning.workers.single_job import ask

FILE = "result.json"
OLD_FILE = "verdict.json"
"""Studies of hpo-bench 0.1 have it instead."""
OLD_NAMES = {"lines": "merges", "zones": "near_optimal", "samples": "examples"}
"""What it calls things there."""
EXAMPLES = 5
REFERENCES = {
    "base VLM": BASE,
    "expert swapped in": MergeSetting("ta", 0.0, 1.0),
    "half and half": MergeSetting("ta", 0.5, 0.5),
}
"""What a user has without tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much of an ability that must be kept a merge has.

    Attributes:
        validation: Mean score on the category's validation examples.
        test: On its test examples.
        lost: How far that is below the base VLM's.
        lost_error: Standard error of that, paired over examples; see `error_of_difference`.
    """

    validation: float
    test: float
    lost: float
    lost_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of what was lost on test examples."""
        return self.lost - Z95 * self.lost_error, self.lost + Z95 * self.lost_error


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredMerge:
    """One merge, scored on both splits. Where an ability must be kept, scores are those on the other examples.

    Attributes:
        name: What it is called.
        setting: Its method and hyperparameters.
        validation: Mean score on the examples that were tuned on.
        test: Mean score on the others.
        test_error: Standard error of the test score; see `error_of_mean`.
        behind: How much the recommended setting scores above it on the same test examples; 0 for itself.
        behind_error: Standard error of that, paired over examples; see `error_of_difference`.
        behind_validation: The same on validation examples.
        kept: How much it has of an ability that must be kept; None where there is none.
    """

    name: str
    setting: Mapping[str, Any]
    validation: float
    test: float
    test_error: float
    behind: float
    behind_error: float
    behind_validation: float
    kept: Kept | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the test score."""
        return self.test - Z95 * self.test_error, self.test + Z95 * self.test_error

    @property
    def gap(self) -> tuple[float, float]:
        """95% interval of how much the recommended setting scores above it."""
        return self.behind - Z95 * self.behind_error, self.behind + Z95 * self.behind_error


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredExample:
    """How the base VLM and a merge answered one validation example.

    Attributes:
        id: The example's.
        base: What the base VLM said; empty where the evaluator does not tell.
        base_score: What that scored.
        merge: What the merge said; empty likewise.
        merge_score: What that scored.
    """

    id: str
    base: str
    base_score: float
    merge: str
    merge_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningResult:
    """What came of a study.

    Attributes:
        trials: How many finished trials it rests on, failures included.
        recommended: Number of the recommended trial.
        mean: Its posterior mean on validation.
        deviation: The posterior standard deviation.
        reproduced: Whether its answers were, example by example, those of the trial.
        merges: The recommended one first, then what it is compared with.
        near_optimal: For each method that has trials the settings of its box that are as good as the best.
        keep: The ability that had to be kept; None if there was none.
        chance: Posterior probability that the recommended setting keeps it, on validation examples; None likewise.
        luck: How likely trials and base VLM would differ as much on validation examples if all were equally good.
        examples: Some answers of base VLM and recommended setting, where that is likely; none elsewhere.
    """

    trials: int
    recommended: int
    mean: float
    deviation: float
    reproduced: bool
    merges: tuple[ScoredMerge, ...]
    near_optimal: Mapping[str, NearOptimal]
    keep: Keep | None = None
    chance: float | None = None
    luck: float = 0.0
    examples: tuple[AnsweredExample, ...] = ()

    @property
    def distinguished(self) -> bool:
        """Whether any merge was told from another, or from the base VLM; if not, there is no reason for a change."""
        return self.luck < LEVEL

    def title(self, merge: ScoredMerge) -> str:
        """What to call a merge: one that no other was told from is not recommended."""
        return merge.name if self.distinguished or merge is not self.merges[0] else f"trial {self.recommended}"

    def write(self, folder: Path) -> None:
        """Write `result.json`, whole or not at all; it takes the place of the file of before."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        write(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))
        (folder / OLD_FILE).unlink(missing_ok=True)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The result of a study's folder; None if it has none.

        Raises:
            TuningError: If the file is damaged.
        """
        path = next((file for name in (FILE, OLD_FILE) if (file := folder / name).exists()), None)
        if path is None:
            return None
        cure = "delete it, and the same command makes it again"
        names = OLD_NAMES if path.name == OLD_FILE else {}
        result = read_record(path, cls, wrong=TuningError, cure=cure, names=names)
        try:
            for merge in result.merges:
                MergeSetting(**merge.setting)
        except (UsageError, TypeError) as error:
            raise TuningError(f"{path} is damaged: a setting makes no sense ({error}); {cure}") from error
        if not result.merges:
            raise TuningError(f"{path} is damaged: it has no merges; {cure}")
        return result


def conclude(
    store: TrialStore,
    pool: WorkerPool,
    interrupt: Interrupt,
    *,
    beside: Mapping[str, MergeSetting] | None = None,
    timeout: float | None = None,
) -> TuningResult:
    """Score the recommended setting and its rivals on validation and test examples.

    What was scored before is kept in the study's folder and not scored again.

    Args:
        store: A study with at least one complete trial.
        pool: The workers, none of them busy.
        interrupt: Ends it when asked for.
        beside: Further settings to compare with, by name.
        timeout: Seconds that a trial may take, on validation examples; more by their share on all. By default found
            from the trials.

    Raises:
        TuningError: If there is nothing to recommend, or a setting cannot be scored.
        KeyboardInterrupt: If an end was asked for.
    """
    config = store.begun
    trials = store.trials()
    held = beliefs(config, trials)
    chosen = recommend(held)
    goal = Goal(config.keep)
    luckiest = max((t for t in trials if t.score is not None), key=lambda t: (t.feasible, t.score or 0.0))
    settings = {"recommended": chosen.setting}
    if luckiest.number != chosen.trial.number:
        settings["highest score"] = luckiest.setting
    settings |= {**REFERENCES, **(beside or {})}
    limit = time_limit(timeout, trials) / VALIDATION_SHARE
    scored = baselines.score(store.folder, list(settings.values()), pool, interrupt, limit=limit)
    best, base = scored[chosen.setting], scored[BASE]
    seen = {trial.setting: store.answers(trial.number) for trial in trials if trial.score is not None}
    told = [goal.improved(one) for one in (*seen.values(), base["validation"])]
    luck = chance_of_luck(told)
    near = [one for belief in held if (one := near_optimal(config, belief)) is not None]
    result = TuningResult(
        trials=sum(trial.state != "running" for trial in trials),
        recommended=chosen.trial.number,
        mean=chosen.mean,
        deviation=chosen.deviation,
        reproduced=bool(np.array_equal(best["validation"].scores, store.answers(chosen.trial.number).scores)),
        merges=tuple(_scored(name, setting, goal, scored[setting], best, base) for name, setting in settings.items()),
        near_optimal={one.method: one.extent for one in near},
        keep=config.keep,
        chance=None if config.keep is None else chosen.chance,
        luck=luck,
        examples=() if luck < LEVEL else _examples(chosen.setting, best, base, pool, interrupt, limit),
    )
    result.write(store.folder)
    return result


Both = dict[str, Answers]


def _examples(
    setting: MergeSetting, merge: Both, base: Both, pool: WorkerPool, interrupt: Interrupt, limit: float
) -> tuple[AnsweredExample, ...]:
    """The first few answers to validation examples, those that scored otherwise before the others."""
    own, other = base["validation"], merge["validation"]
    shown = np.argsort(own.scores == other.scores, kind="stable")[:EXAMPLES]
    ids = tuple(own.ids[place] for place in shown)
    said = [_said(one, answers, ids, pool, interrupt, limit) for one, answers in ((BASE, own), (setting, other))]
    return tuple(
        AnsweredExample(
            id=own.ids[place], base=said[0].get(own.ids[place], ""), base_score=float(own.scores[place]),
            merge=said[1].get(own.ids[place], ""), merge_score=float(other.scores[place]),
        )
        for place in shown
    )  # fmt: skip


def _said(
    setting: MergeSetting, answers: Answers, ids: tuple[str, ...], pool: WorkerPool, interrupt: Interrupt, limit: float
) -> Mapping[str, str]:
    """What a merge says to some examples, by id; it is asked again where only scores are kept."""
    if answers.responses:
        return dict(zip(answers.ids, answers.responses, strict=True))
    try:
        said = ask(pool, interrupt, limit=limit, setting=setting, examples=ids).answers
    except TuningError:  # then there are but scores to be shown
        return {}
    return {one.example: one.said for one in said}


def _scored(name: str, setting: MergeSetting, goal: Goal, all_scored: Both, all_best: Both, base: Both) -> ScoredMerge:
    scored, best = ({split: goal.improved(one) for split, one in both.items()} for both in (all_scored, all_best))
    behind = differences(best["test"], scored["test"])
    return ScoredMerge(
        name=name,
        setting=plain(setting),
        validation=scored["validation"].score,
        test=scored["test"].score,
        test_error=error_of_mean(scored["test"].scores),
        behind=float(behind.mean()),
        behind_error=error_of_difference(behind),
        behind_validation=float(differences(best["validation"], scored["validation"]).mean()),
        kept=None if goal.keep is None else _kept(goal.keep, all_scored, base),
    )


def _kept(keep: Keep, scored: Both, base: Both) -> Kept:
    own, vlm = ({split: keep.sides(one)[1] for split, one in both.items()} for both in (scored, base))
    lost = differences(vlm["test"], own["test"])
    return Kept(
        validation=own["validation"].score, test=own["test"].score, lost=float(lost.mean()),
        lost_error=error_of_difference(lost),
    )  # fmt: skip
