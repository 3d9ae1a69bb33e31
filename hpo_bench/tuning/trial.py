"""What is known of a trial: one merge, one evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hpo_bench.display.printing import in_a_line, publishable
from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Split
from hpo_bench.merging.setting import MergeSetting

if TYPE_CHECKING:  # which imports PyTorch, and a worker that only merges SYNTHETIC scores needs none
    from hpo_bench.evaluation.preflight import Preflight

State = Literal["running", "complete", "failed"]
REASON, DETAILS = 300, 100_000
"""Of an error so many characters are shown, and so many kept in its log."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        name: What messages call it, such as "trial 7".
        setting: What to merge.
        splits: Which examples to answer; while tuning, validation alone.
        tuned_on: How many of all examples are validation examples, the first drawn; None for those of the split.
        preflight: Whether to answer a handful of validation examples instead, and to tell how; see `Preflight`.
        examples: Ids of those examples; some of different lengths by default.
    """

    name: str
    setting: MergeSetting
    splits: tuple[Split, ...] = ("validation",)
    tuned_on: int | None = None
    preflight: bool = False
    examples: tuple[str, ...] = ()


def differences(one: Answers, other: Answers) -> NDArray[np.float64]:
    """How much better one merge did than another on each of the same n examples, of shape (n,).

    Raises:
        TuningError: If they answered different examples.
    """
    if one.ids != other.ids:
        raise TuningError("two trials answered different examples; the benchmark changed between them")
    return one.scores - other.scores


def paired_difference(one: Answers, other: Answers) -> tuple[float, float]:
    """How much better one merge did than another on the same examples, and the standard error of that.

    The error is that of the spread that was seen, as models of noise take it; for an interval see
    `hpo_bench.statistics.examples`.

    Raises:
        TuningError: If they answered different examples.
    """
    found = differences(one, other)
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    return float(found.mean()), float(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCost:
    """What a trial took.

    Attributes:
        merge_seconds: Wall time of the merge.
        eval_seconds: Wall time of the evaluation.
        dollars: What judges and other paid services charged; the machine itself is not in it.
    """

    merge_seconds: float = 0.0
    eval_seconds: float = 0.0
    dollars: float = 0.0

    @property
    def seconds(self) -> float:
        """Wall time in all."""
        return self.merge_seconds + self.eval_seconds

    def __add__(self, other: Self) -> Self:
        return type(self)(
            merge_seconds=self.merge_seconds + other.merge_seconds,
            eval_seconds=self.eval_seconds + other.eval_seconds,
            dollars=self.dollars + other.dollars,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Success:
    """A worker's answer to a job that went well.

    Attributes:
        answers: By split.
        fingerprint: Of the merged weights.
        cost: What it took.
        note: What a user should know, such as a batch that had to be made smaller.
        preflight: What came of a job that was one.
    """

    answers: dict[Split, Answers]
    fingerprint: str
    cost: TrialCost
    note: str = ""
    preflight: "Preflight | None" = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A worker's answer to a job that failed.

    Attributes:
        kind: The sort of failure; see `EvaluationError`.
        reason: What went wrong, in a line; cut where it is longer than a table or a message can take.
        details: Everything else that is known, for the log; cut in the middle.
        cost: What it took.
    """

    kind: str
    reason: str
    details: str = ""
    cost: TrialCost = TrialCost()

    def __post_init__(self) -> None:
        # An evaluator's errors may be of any length, and hold what no file and no terminal takes, and nobody may see.
        reason, details = publishable(" ".join(self.reason.split())), publishable(writable(self.details))
        if len(reason) > REASON:
            reason = f"{reason[:REASON]} ... ({len(reason):,} characters)"
        if len(details) > DETAILS:
            half = DETAILS // 2
            cut = len(details) - DETAILS
            details = f"{details[:half]}\n... ({cut:,} characters are left out)\n{details[-half:]}"
        object.__setattr__(self, "reason", in_a_line(reason))
        object.__setattr__(self, "details", details)


Run = Callable[[Job], Success | Failure]
"""Does a job, here or by a worker."""


def writable(text: str) -> str:
    r"""The text with halves of surrogate pairs, which no encoding has, written as `\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial as the store keeps it.

    Attributes:
        number: From 0 up, in the order in which trials were proposed.
        setting: What is merged.
        state: "running", "complete" or "failed".
        asked_after: How many results the optimiser knew when it proposed this one.
        told_as: When its result was told: 0 for the first; None while it runs.
        worker: Who runs or ran it.
        score: Mean score on the validation examples, without those of a category to keep; None unless complete.
        standard_error: Of the score, by the spread that was seen; None unless complete.
        examples: Of how many examples the score is the mean; None unless complete, and in studies of before.
        kept: Score on the category to keep; None unless complete, or where there is none.
        margin: How far that is above the least allowed, below 0 where too much was lost; None likewise.
        margin_error: Standard error of the margin; None likewise.
        cost: What it took, with what workers took that died of it or were killed with the tuner; while it runs that
            alone.
        fingerprint: Of the merged weights; empty unless complete.
        kind: The sort of failure; empty unless failed.
        reason: Why it failed, or what should be known of it.
        log: Path of a failure's log within the study's folder.
    """

    number: int
    setting: MergeSetting
    state: State
    asked_after: int
    worker: str
    told_as: int | None = None
    score: float | None = None
    standard_error: float | None = None
    examples: int | None = None
    kept: float | None = None
    margin: float | None = None
    margin_error: float | None = None
    cost: TrialCost = TrialCost()
    fingerprint: str = ""
    kind: str = ""
    reason: str = ""
    log: str = ""

    @property
    def told_score(self) -> float:
        """What the optimiser is told: the score, or NaN for a failure."""
        return float("nan") if self.score is None else self.score

    @property
    def feasible(self) -> bool:
        """Whether it completed, and nothing that must be kept was lost, as far as validation examples tell."""
        return self.score is not None and (self.margin is None or self.margin >= 0.0)


def plain(setting: MergeSetting) -> dict[str, Any]:
    """A setting as plain values."""
    return {"method": setting.method, **setting.parameters}
