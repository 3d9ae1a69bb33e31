"""Honest answers of a choice that used every example: cross-fitted, from what the trials answered."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.statistics.cross_fitting import FOLDS, cross_fit
from hpo_bench.statistics.examples import Z95, error_of_difference
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.outcome.posterior import beliefs, recommend
from hpo_bench.tuning.trial import Trial, differences
from landscapes.outcomes import drawn

Choose = Callable[[Sequence[Trial]], Trial]
"""A way to choose among trials."""
NEAREST = 8
"""Among so many of the best trials it is seen what the examples can tell apart."""


def answers_path(folder: Path) -> Path:
    """Where a study's folder keeps the cross-fitted answers of what it recommends."""
    return folder / "test" / "cross-fitted.parquet"


def recommended(config: StudyConfig) -> Choose:
    """The study's way to choose."""
    return lambda trials: recommend(beliefs(config, trials)).trial


def highest(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest score, of those that keep what must be kept if any does."""
    return max((one for one in trials if one.score is not None), key=lambda one: (one.feasible, one.score or 0.0))


def cross_fitted(trials: Sequence[Trial], answers: Sequence[Answers], goal: Goal, choose: Choose) -> Answers:
    """Each example as it was answered at the setting that is chosen by the others.

    Args:
        trials: All that completed.
        answers: What each of them answered, to the same examples.
        goal: What answers are worth; with an ability to keep it must know the base VLM's.
        choose: The way to choose, which is followed anew without each fold of the examples.
    """
    folds = folds_of(answers[0].ids)
    place = {trial.number: index for index, trial in enumerate(trials)}

    def chosen(by: NDArray[np.bool_]) -> int:
        part = goal.only(by)
        known = [part.judged(trial, own.only(by)) for trial, own in zip(trials, answers, strict=True)]
        return place[choose(known).number]

    fit = cross_fit(np.array([one.scores for one in answers]), folds, chosen)
    said = [answers[int(fit.chosen[fold])].responses for fold in folds]
    responses = tuple(own[index] for index, own in enumerate(said)) if all(said) else ()
    return replace(answers[0], scores=fit.scores, responses=responses)


def check_folds(keep: Keep, ids: Sequence[str], categories: Sequence[str], *, begun: bool) -> None:
    """Refuse examples of which a fold holds all that tell of an ability to keep, or all others.

    Without that fold nothing could be chosen, which would be known when all trials have been paid for.

    Args:
        keep: The ability.
        ids: Of the m examples that trials answer.
        categories: Theirs.
        begun: Whether the study is, which then keeps to its examples, so that the cure is another study.

    Raises:
        TuningError: If there are such; the message has the cure.
    """
    folds, kept = folds_of(ids), np.array([category == keep.category for category in categories], dtype=bool)
    if any(len(set(folds[side])) < 2 for side in (kept, ~kept)):
        raise TuningError(
            f"to keep {keep.category!r} a score is cross-fitted in {FOLDS} folds of the {len(ids)} examples that "
            f"trials answer, of which {kept.sum()} are of this category: two folds must have some, and two must have "
            f"others; {'name another study with --study, and ' if begun else ''}give a higher --examples-each, or "
            "--hold-out"
        )


def folds_of(ids: Sequence[str]) -> NDArray[np.int64]:
    """To which fold each example belongs, of shape (m,): as many to each, by the hash that draws examples."""
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[sorted(range(len(ids)), key=lambda index: (drawn(ids[index]), ids[index]))] = np.arange(len(ids))
    return ranks % FOLDS


def told_apart(chosen: Trial, trials: Sequence[Trial], answers: Sequence[Answers], goal: Goal) -> float:
    """By how much a good setting must differ from the recommended one for the examples to tell them apart at 95%.

    Args:
        chosen: The recommended trial.
        trials: All that completed.
        answers: What each of them answered.
        goal: What answers are worth.

    Returns:
        The median over the best other settings, in units of the score; NaN if there is none.
    """
    known = {trial.number: goal.improved(own) for trial, own in zip(trials, answers, strict=True)}
    others = [trial for trial in trials if trial.setting != chosen.setting]
    best = sorted(others, key=lambda one: one.score or 0.0, reverse=True)[:NEAREST]
    errors = [error_of_difference(differences(known[chosen.number], known[one.number])) for one in best]
    return Z95 * float(np.median(errors)) if errors else float("nan")
