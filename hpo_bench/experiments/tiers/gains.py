"""What published sweeps of one weight gain by tuning, on examples that nobody tuned on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo_bench.display.table import TextTable
from landscapes.landscape import Landscape


@dataclass(frozen=True, slots=True)
class SweepGain:
    """What a published sweep of one weight, with outcomes, gains by tuning.

    Attributes:
        name: Of the landscape.
        ends: Test scores of both ends: the language model and the tuned model.
        weight: Where the validation score is best.
        test: The test score there.
        gain: By how much that exceeds the better end, which validation picks.
        standard_error: Of the gain, over test examples.
        examples: How many these are.
        changing: Whether examples were asked otherwise at different weights.
    """

    name: str
    ends: tuple[float, float]
    weight: float
    test: float
    gain: float
    standard_error: float
    examples: int
    changing: bool


def gain(landscape: Landscape) -> SweepGain | None:
    """What tuning gains over both ends on examples that it never saw; None without outcomes of one hyperparameter."""
    if landscape.space.dim != 1 or landscape.outcomes is None or "test" not in landscape.card.n_examples:
        return None
    unseen = landscape.on("test").outcomes
    if unseen is None:
        return None
    scores = landscape.grid.scores
    best, end = int(scores.argmax()), (0, -1)[int(scores[-1] > scores[0])]
    apart = unseen.correct[best] - unseen.correct[end]
    means = unseen.correct.mean(axis=1)
    return SweepGain(
        name=landscape.name,
        ends=(float(means[0]), float(means[-1])),
        weight=float(landscape.grid.X[best, 0]),
        test=float(means[best]),
        gain=float(apart.mean()),
        standard_error=float(apart.std(ddof=1) / np.sqrt(len(apart))),
        examples=len(apart),
        changing=not landscape.card.asked_alike,
    )


def gains_table(gains: Sequence[SweepGain]) -> TextTable:
    """One row a sweep."""
    lines = (
        (
            one.name + " ‡" * one.changing,
            str(one.examples),
            *(f"{100 * end:.1f}" for end in one.ends),
            f"{one.weight:g}",
            f"{100 * one.test:.1f}",
            f"{100 * one.gain:+.1f} ± {200 * one.standard_error:.1f}",
        )
        for one in gains
    )
    heads = (
        "sweep", "examples", "at 0, language model", "at 1, tuned model", "best weight", "there",
        "gain over the better end",
    )  # fmt: skip
    return TextTable.of(heads, lines)


GAINS = (
    "Scores on test examples in %; the weight is the one with the best validation score of those recorded, the better "
    "end that with the better one; ± twice the standard error of the paired difference. A gain of 0.0 ± 0.0 means that "
    "an end is chosen. ‡: many examples were asked otherwise at different weights (options in another order, other "
    "worked examples), so that a part of the difference, of unknown size, is that and not the weight. Sweeps whose "
    "names differ in common, scientific and both alone are of the same recordings, asked for other names."
)
