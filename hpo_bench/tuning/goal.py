"""What a trial's answers are worth: one goal, or two where some ability must be kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import LEAST, SPLITS, check_sides, of_split
from hpo_bench.evaluation.registry import read_benchmark
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.trial import Trial, paired_difference

POINT = 0.01
"""A point, in units of the score."""


@dataclass(frozen=True, slots=True)
class Keep:
    """An ability that must be kept.

    Attributes:
        category: The examples that tell how much of it there is.
        at_most_below: How far below the base VLM the score on these may fall, in points (hundredths of a score).
        front: Whether the whole Pareto front of that score and the one on the other examples is sought, as the limit to
            be set is not known yet; then `at_most_below` is that of the setting to recommend, and of nothing else.

    Raises:
        UsageError: If the category has no name, or the VLM's own score would be too low.
    """

    category: str
    at_most_below: float = 2.0
    front: bool = False

    def __post_init__(self) -> None:
        if not self.category:
            raise UsageError("--keep needs the category of the examples that tell whether an ability is kept")
        if not 0.0 <= self.at_most_below <= 100.0:
            raise UsageError(f"--at-most-below must be from 0 to 100 points, not {self.at_most_below:g}")

    @property
    def allowed(self) -> float:
        """How far below the score may fall, in units of the score."""
        return self.at_most_below * POINT

    def sides(self, answers: Answers) -> tuple[Answers, Answers]:
        """The answers that are to be improved, and those to the category that is kept.

        Raises:
            TuningError: If either has no example.
        """
        self.check(answers.categories, "what was answered")
        kept = np.array([category == self.category for category in answers.categories])
        return answers.only(~kept), answers.only(kept)

    def check(self, categories: Sequence[str], what: str, *, least: int = 1) -> None:
        """Refuse examples that cannot tell whether the ability is kept, or nothing else.

        Args:
            categories: Theirs.
            what: What to call them.
            least: So many must be of the category, and of others.

        Raises:
            TuningError: If there are fewer; the message has the counts.
        """
        counts = Counter(categories)
        if not least <= counts[self.category] <= len(categories) - least:
            known = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
            raise TuningError(
                f"to keep {self.category!r} {what} must have at least {least} examples of this category and of others; "
                f"there are: {known or 'none'}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """What a study is after.

    With one goal that is the score over all examples. With an ability to keep, it is the score over the other examples,
    among the merges whose score on the kept category is not too far below that of the base VLM. One evaluation tells
    both.

    Attributes:
        keep: What must be kept; None for one goal.
        base: What the base VLM answered; needed with `keep`.
    """

    keep: Keep | None = None
    base: Answers | None = None

    @property
    def front(self) -> bool:
        """Whether the whole front of two goals is sought."""
        return self.keep is not None and self.keep.front

    def only(self, which: NDArray[np.bool_]) -> "Goal":
        """The same for some of the examples: those for which `which`, of shape (n,), is true."""
        return self if self.base is None else replace(self, base=self.base.only(which))

    def improved(self, answers: Answers) -> Answers:
        """The answers whose mean is to be maximised."""
        return answers if self.keep is None else self.keep.sides(answers)[0]

    def kept(self, answers: Answers) -> Answers | None:
        """The answers to the category that must be kept; None where there is none."""
        return None if self.keep is None else self.keep.sides(answers)[1]

    def judged(self, trial: Trial, answers: Answers) -> Trial:
        """A trial with what its answers are worth, to the same examples as the base VLM's.

        Raises:
            TuningError: If an ability must be kept, and the VLM's answers are not known or are to other examples.
        """
        main, kept = self.improved(answers), self.kept(answers)
        error = main.standard_error if len(main) > 1 else None  # JSON has no NaN, which is that of a single example
        trial = replace(trial, score=main.score, standard_error=error, examples=len(main))
        if self.keep is None or kept is None:
            return trial
        gained, doubt = paired_difference(kept, self._base)
        # Rounded, so that exactly as much as was allowed is not too much for its last bit.
        margin = round(gained + self.keep.allowed, 12)
        return replace(trial, kept=kept.score, margin=margin, margin_error=doubt if np.isfinite(doubt) else None)

    @property
    def _base(self) -> Answers:
        if self.keep is None or self.base is None:
            raise TuningError("the base VLM was not evaluated; give the command that tunes the study once more")
        return self.keep.sides(self.base)[1]


def check_examples(pair: Pair, *, keep: Keep | None = None) -> None:
    """Refuse too few examples for a score on each side; those of lmms-eval's tasks are known to the workers alone.

    Args:
        pair: Whose examples.
        keep: An ability that must be kept, which needs examples of its own on each side, and leaves others.

    Raises:
        UsageError: If examples cannot be read, or are too few; the message has the counts.
        TuningError: If they are too few for the ability to keep.
    """
    examples = read_benchmark(pair)
    if examples is None:
        return
    check_sides(examples, SPLITS, str(pair.examples))
    if keep is not None:
        for split in SPLITS:
            categories = [example.category for example in of_split(examples, split)]
            keep.check(categories, f"the {split} examples of {pair.examples}", least=LEAST)
