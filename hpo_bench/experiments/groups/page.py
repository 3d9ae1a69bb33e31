"""What weights by group gain over one weight, as a Markdown page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_bench.display.table import TextTable
from hpo_bench.display.words import UNDEFINED, bracketed, counted, listed
from hpo_bench.experiments.groups.design import FINER, UNIFORM
from hpo_bench.experiments.groups.measure import GroupedPair
from hpo_bench.experiments.page import Part, save_page
from hpo_bench.statistics.cross_fitting import FOLDS, cross_fit
from hpo_bench.statistics.examples import error_of_difference
from hpo_bench.statistics.intervals import of_mean

PAGE = "groups.md"
FEW, DRAWS, SEED = 160, 40, 0
"""Examples of a small validation split, random foldings that are averaged over, and their seed."""
HEAD = """\
# Weights by group of tensors

Made by `hpo-bench groups`. Recent papers give attention and feed-forward layers, or early and late layers, weights of
their own. Is that worth one more hyperparameter? For each pair 25 merges of Task Arithmetic with one expert weight come
first, over the part of the box where the best of the recorded fine grids lie. Around the one that validation examples
choose, 25 more are tried: on a finer grid with one expert weight, or with an expert weight for each of two groups, each
in five steps from .4 below to .4 above. So every way has 50 merges at equal cost, and the first 25 are the same.

What each is worth is cross-fitted: the merge that is best on four fifths of the test examples is scored on the fifth
that it was not chosen by, and so for each fifth. Figures are points of accuracy that weights by group score above (+)
or below (-) one weight, ± standard error, paired over examples; the last row has the mean over pairs and its 95%
interval (Student's t).

A weight for tensors that neither model tuned changes nothing: in the pretrained pairs these are the embeddings and all
early layers, so that "early × late layers" and "vocabulary × layers" are the same merges there, and one finding.
"""


def gains(pair: GroupedPair, name: str, *, examples: int | None = None) -> NDArray[np.float64]:
    """By how much choosing among a partition's merges beats choosing among uniform ones, on unseen examples.

    Args:
        pair: Answers at all settings.
        name: The partition's.
        examples: How many the choice sees; None for four fifths of all.

    Returns:
        Differences of scores by example, averaged over random foldings, of shape (m,).
    """
    rng = np.random.default_rng(SEED)
    grouped, uniform = pair.among(UNIFORM, name), pair.among(UNIFORM, FINER)
    count = grouped.shape[1]

    total = np.zeros(count)
    for _ in range(DRAWS):
        order = rng.permutation(count)
        folds = rng.permutation(np.arange(count) % FOLDS)
        total[order] += _honest(grouped[:, order], folds, examples) - _honest(uniform[:, order], folds, examples)
    return total / DRAWS


def _honest(answers: NDArray[np.float64], folds: NDArray[np.int64], examples: int | None) -> NDArray[np.float64]:
    """Scores at the setting that is best by so many of the others' examples, of shape (m,)."""

    def best(by: NDArray[np.bool_]) -> int:
        return int(answers[:, np.flatnonzero(by)[:examples]].mean(axis=1).argmax())

    return cross_fit(answers, folds, best).scores


def better(pair: GroupedPair, name: str) -> str:
    """How many of a partition's merges score above the best uniform one, and how many by two standard errors."""
    uniform = pair.among(UNIFORM, FINER)
    differences = pair.among(name) - uniform[uniform.mean(axis=1).argmax()]
    errors = np.array([error_of_difference(row) for row in differences])
    means = differences.mean(axis=1)
    return f"{(means > 0).sum()} / {(means > 2 * errors).sum()}"


def table(pairs: Sequence[GroupedPair], *, examples: int | None = None) -> TextTable:
    """Gains by pair and partition, in points."""
    names = _partitions(pairs)
    found = {name: [gains(pair, name, examples=examples) for pair in pairs] for name in names}
    lines = [
        (pair.pair, f"{pair.answers.shape[1]:,}", *(_with_error(found[name][place]) for name in names))
        for place, pair in enumerate(pairs)
    ]
    means = (bracketed(of_mean([100 * each.mean() for each in found[name]]), "+.2f") for name in names)
    return TextTable.of(("pair", "examples", *names), [*lines, ("mean", UNDEFINED, *means)])


def write_page(pairs: Sequence[GroupedPair], folder: Path) -> Path:
    """Write the page.

    Returns:
        The page.

    Raises:
        ResultsError: If it cannot be written.
    """
    names = _partitions(pairs)
    above = ((pair.pair, _best(pair), *(better(pair, name) for name in names)) for pair in pairs)
    parts: list[Part] = [
        HEAD,
        "## Chosen by four fifths of the examples",
        table(pairs),
        f"## Chosen by {FEW} examples, as a small validation split has",
        table(pairs, examples=FEW),
        "## Merges that score above the best of the 50 uniform ones",
        "Of 25, on all test examples, and how many of them by two standard errors or more; the best uniform merge is "
        "the highest of 50, and so a little lucky itself.",
        TextTable.of(("pair", "best uniform", *names), above),
        _conclusion(pairs, names),
    ]
    return save_page(folder / PAGE, parts)


def _conclusion(pairs: Sequence[GroupedPair], names: Sequence[str]) -> str:
    """What follows, by the intervals of the means."""
    if len(pairs) < 2:
        return "One pair says nothing of others."
    found = {name: of_mean([100 * gains(pair, name).mean() for pair in pairs]) for name in names}
    pays = [name for name, one in found.items() if one.low > 0]
    costs = [name for name, one in found.items() if one.high < 0]
    said = f"Over {counted(len(pairs), 'pair')}, with all examples to choose by, "
    if pays:
        said += f"weights for {listed(pays)} gain more than chance; "
    if costs:
        said += f"weights for {listed(costs)} lose; "
    if rest := [name for name in names if name not in (*pays, *costs)]:
        said += f"for {listed(rest)} no gain and no loss is shown"
    return said.rstrip("; ") + "."


def _partitions(pairs: Sequence[GroupedPair]) -> list[str]:
    return [name for name in dict.fromkeys(s.among for s in pairs[0].settings) if name not in (UNIFORM, FINER)]


def _best(pair: GroupedPair) -> str:
    means = pair.among(UNIFORM, FINER).mean(axis=1)
    setting = [s for s in pair.settings if s.among in (UNIFORM, FINER)][int(means.argmax())]
    return f"({setting.vl_weight:g}, {setting.first:g}): {means.max():.3f}"


def _with_error(differences: NDArray[np.float64]) -> str:
    return f"{100 * differences.mean():+.2f} ± {100 * error_of_difference(differences):.2f}"
