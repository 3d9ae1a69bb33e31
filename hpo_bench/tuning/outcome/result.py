"""What came of a study: what was found, against what was there before, on examples that nobody tuned on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.files import read_record, write_record
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95
from hpo_bench.tuning.budget import Budget, Spent
from hpo_bench.tuning.goal import Keep
from hpo_bench.tuning.outcome.distinction import LEVEL
from hpo_bench.tuning.outcome.posterior import NearOptimal
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.trial import Trial

FILE = "result.json"
OLD_FILE = "verdict.json"
"""Studies of hpo-bench 0.1 have it instead."""
OLD_NAMES = {"lines": "merges", "zones": "near_optimal", "samples": "examples"}
"""What it calls things there."""


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
        test: Mean score on the others; where `TuningResult.cross_fitted`, that.
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
    def gap(self) -> tuple[float, float]:
        """95% interval of how much the recommended setting scores above it."""
        return self.behind - Z95 * self.behind_error, self.behind + Z95 * self.behind_error


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoint:
    """A trial on the Pareto front, by posterior means on the examples that were tuned on.

    Attributes:
        trial: Its number.
        setting: Its method and hyperparameters.
        score: Of the score on the other examples.
        kept: Of the score on the category to keep.
    """

    trial: int
    setting: Mapping[str, Any]
    score: float
    kept: float


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
        reproduced: Whether it answered again, example by example, as in the trial; None where it was not asked again.
            Always true in cross-fitted results of before, which did not ask either.
        merges: The recommended one first, then what it is compared with.
        near_optimal: For each method that has trials the settings of its box that are as good as the best.
        keep: The ability that had to be kept; None if there was none.
        chance: Posterior probability that the recommended setting keeps it, on validation examples; None likewise.
        front: The Pareto front, what keeps most first, where it was sought; none elsewhere.
        hypervolume: What it dominates; see `hypervolumes`. None likewise.
        luck: How likely trials and base VLM would differ as much on validation examples if all were equally good.
        examples: Some answers of base VLM and recommended setting, where that is likely; none elsewhere.
        tuned_on: How many examples each trial answered; 0 for results of before.
        cross_fitted: Whether test scores are those of the examples that were tuned on, each at the setting that the
            others choose (for a merge that was not chosen, plainly its score), and not those of other examples.
        told_apart: By how much a good setting must differ from the recommended one for these examples to tell them
            apart at 95%; None where there is no other.
        ahead: What the rest of the budget was expected to add to the score on unseen examples, where the study was
            ended as that is little; None where the budget was spent.
        further: How many more trials that would have been.
        expenses: What was paid for beside the trials; None in results of before.
    """

    trials: int
    recommended: int
    mean: float
    deviation: float
    reproduced: bool | None
    merges: tuple[ScoredMerge, ...]
    near_optimal: Mapping[str, NearOptimal]
    keep: Keep | None = None
    chance: float | None = None
    front: tuple[FrontPoint, ...] = ()
    hypervolume: float | None = None
    luck: float = 0.0
    examples: tuple[AnsweredExample, ...] = ()
    tuned_on: int = 0
    cross_fitted: bool = False
    told_apart: float | None = None
    ahead: float | None = None
    further: int = 0
    expenses: Expenses | None = None

    def enough(self, budget: Budget, spent: Spent) -> bool:
        """Whether the study was ended because no more than this budget has left is expected to gain too little."""
        if self.ahead is None or budget.until is None:
            return False
        return budget.further(spent) <= self.further and 100 * self.ahead < budget.until

    def resting_on(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those of a study's trials that it rests on: of one that has gone on since there are more.

        Args:
            trials: All of them, in the order in which they were proposed.

        Returns:
            The first that finished, in the same order.
        """
        told = sorted(one.told_as for one in trials if one.told_as is not None)[: self.trials]
        return [one for one in trials if one.told_as in told]

    @property
    def head(self) -> str:
        """What honest scores are called."""
        return "cross-fitted" if self.cross_fitted else "test"

    @property
    def about_scores(self) -> str:
        """Where honest scores come from, and how sure they are."""
        origin = "Test examples were not looked at before the end."
        if self.cross_fitted:
            origin = (
                f"Cross-fitted: each of the {self.tuned_on:,} examples that were tuned on is scored at the setting "
                "that the others recommend, so its own luck is not in it; what needs no choice has its plain score."
            )
        return f"{origin} After ± stands half of a 95% interval, paired over examples where two are compared."

    @property
    def optimism(self) -> float:
        """How much higher the highest score is than what the setting of the highest score is worth."""
        line = next((one for one in self.merges if one.name == "highest score"), self.merges[0])
        return line.validation - line.test

    @property
    def distinguished(self) -> bool:
        """Whether any merge was told from another, or from the base VLM; if not, there is no reason for a change."""
        return self.luck < LEVEL

    def title(self, merge: ScoredMerge) -> str:
        """What to call a merge: one that no other was told from is not recommended."""
        return merge.name if self.distinguished or merge is not self.merges[0] else f"trial {self.recommended}"

    def write(self, folder: Path) -> None:
        """Write `result.json`, whole or not at all; it takes the place of the file of before."""
        write_record(folder / FILE, self)
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
