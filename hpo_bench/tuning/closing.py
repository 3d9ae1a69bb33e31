"""What is scored and shown when a study's trials have ended, for which its budget keeps room."""

from hpo_bench.evaluation.examples import VALIDATION_SHARE
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.budget import Closing
from hpo_bench.tuning.config import StudyConfig

REFERENCES = {
    "base VLM": BASE,
    "expert swapped in": MergeSetting("ta", 0.0, 1.0),
    "half and half": MergeSetting("ta", 0.5, 0.5),
}
"""What a user has without tuning."""
TAKEN = ("recommended", "highest score", *REFERENCES)
"""What a result calls its own merges, and no further one."""
CHOSEN = 2
"""The recommended merge and that of the highest score answer all examples too when the split was tuned on."""
EXAMPLES = 5
"""So many answers are shown where nothing could be told apart."""
SHOWN_MERGES = 2
"""The base VLM and the recommended merge are asked for answers to show, if the evaluator kept none."""
SHOWN_EXAMPLES = 3 * EXAMPLES
"""Each of them answers every example in a batch, alone, and once more to be scored."""


def compared(beside: int) -> int:
    """How many merges are scored to compare with.

    Args:
        beside: How many the user names.
    """
    return len(REFERENCES) + beside


def finally_scored(beside: int) -> int:
    """How many merges answer all examples when the split was tuned on."""
    return compared(beside) + CHOSEN


def closing_of(config: StudyConfig, beside: int) -> Closing:
    """What there is to do when the trials of a study have ended, if none of it was done yet.

    Args:
        config: The study.
        beside: How many further merges the user compares with.
    """
    if config.examples is None:
        each, chosen, shown = 1 / VALIDATION_SHARE, CHOSEN, float(SHOWN_MERGES)
    else:
        each, chosen, shown = 1.0, 0, SHOWN_MERGES * SHOWN_EXAMPLES / max(config.examples, 1)
    merges = compared(beside) + chosen
    anew = Closing(merges=chosen + SHOWN_MERGES, evaluations=chosen * each + shown)
    return Closing(merges=merges + SHOWN_MERGES, evaluations=merges * each + shown, anew=anew)
