"""A result in the terminal."""

import math
from collections.abc import Sequence

from rich.console import Console

from hpo_bench.display.console import PlainConsole
from hpo_bench.display.printing import in_a_line
from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import counted, expense, share
from hpo_bench.merging.methods import registry
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import Z95
from hpo_bench.tuning.budget import Amount, Budget
from hpo_bench.tuning.goal import Keep
from hpo_bench.tuning.outcome.posterior import within_scores
from hpo_bench.tuning.outcome.result import AnsweredExample, FrontPoint, Kept, TuningResult
from hpo_bench.tuning.outcome.tables import around, scores
from hpo_bench.tuning.progress import StudyProgress
from hpo_bench.tuning.race import describe
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.terminal import clock
from hpo_bench.tuning.trial import Trial
from optimizers.gp.constraint import LIKELY

OTHERS_SHOWN = 5
ANSWER_SHOWN = 200
SHOWN = 0.001
"""Below this a difference of scores is not shown."""


def show(result: TuningResult, console: Console) -> None:
    """Print what was found, against what was there before.

    Args:
        result: What came of the study.
        console: Where to.
    """
    table = scores(result, describe).printed(title="Scores")
    # A pipe has no width of its own, and the table needs about this much.
    (console if console.is_terminal else PlainConsole(width=160, file=console.file, quiet=console.quiet)).print(table)
    if result.front:
        console.print(front_table(result).printed(title="Pareto front"))
    for sentence in (result.about_scores, *sentences(result), *map(answered, result.examples)):
        console.print(sentence)


def front_table(result: TuningResult) -> TextTable:
    """What of either goal can be had with how much of the other, by trials."""
    rows = [
        Row(str(one.trial), (describe(MergeSetting(**one.setting)), f"{one.score:.3f}", f"{one.kept:.3f}"))
        for one in result.front
    ]
    return TextTable(("trial", "setting", "score", result.keep.category if result.keep else ""), tuple(rows), words=2)


def sentences(result: TuningResult) -> Sequence[str]:
    """What the table does not say."""
    best, *others = result.merges
    told = [_advice(result)]
    if (base := next((line for line in others if line.name == "base VLM"), None)) is not None:
        on = "cross-fitted" if result.cross_fitted else "on the others"
        shown = "" if base.gap[0] > 0 else " So a gain is not shown; keeping the VLM as it is risks nothing."
        curse = "; the difference is winner's curse and luck" if base.behind_validation > base.behind else ""
        told.append(
            f"Gain over the base VLM: {base.behind_validation:+.3f} on the examples it was tuned on, "
            f"{around(base.behind, base.behind_error)} {on}{curse}.{shown}"
        )
    if result.ahead is not None:
        were = "was" if result.further == 1 else "were"
        told.append(
            f"Ended after {counted(result.trials, 'trial')}: {result.further} more {were} expected to gain "
            f"{100 * result.ahead:.2f} points on unseen examples."
        )
    if result.distinguished and result.tuned_on:
        told += _about_luck(result)
    if result.keep is not None and best.kept is not None and result.chance is not None:
        told.append(_about_keeping(result.keep, best.kept, result.chance, cross_fitted=result.cross_fitted))
    if result.keep is not None and result.front and result.hypervolume is not None:
        told.append(_about_front(result.keep, result.front, result.hypervolume))
    for method, near in result.near_optimal.items() if result.distinguished else ():
        ranges = ", ".join(f"{name} {_range(*ends)}" for name, ends in near.ranges.items())
        told.append(
            f"{registry.label(method)}: {100 * near.share:.1f}% of the box is within the noise of one evaluation "
            f"({near.within:.3f}) of its best: {ranges}."
        )
    if result.reproduced is False:
        told.append("The recommended merge did not answer as in its trial: the evaluator is not deterministic.")
    return told


def answered(example: AnsweredExample) -> str:
    """How base VLM and merge answered an example, in a line."""

    def said(answer: str, score: float) -> str:
        words = in_a_line(answer)[:ANSWER_SHOWN]
        return f"{words!r} ({score:.2f})" if answer else f"scored {score:.2f}"

    base, merge = said(example.base, example.base_score), said(example.merge, example.merge_score)
    return f"  {in_a_line(example.id)}: base VLM {base}, merge {merge}"


def gone_on(result: TuningResult, trials: Sequence[Trial]) -> str:
    """A sentence on trials that finished after a result; empty where there are none.

    What runs is not counted: a kill may have left it, and a study that ended with fewer trials never finishes it.
    """
    since = sum(one.told_as is not None for one in trials) - len(result.resting_on(trials))
    if not since:
        return ""
    return (
        f"This is the result of {counted(result.trials, 'trial')}: the study has gone on since, and "
        f"{counted(since, 'further trial')} will count when the command that tunes it has come to its end."
    )


def passed_over(store: TrialStore) -> str:
    """A sentence on trials of a study that others made; empty where there are none."""
    others = store.foreign()
    if not others:
        return ""
    which = ", ".join(map(str, others[:OTHERS_SHOWN])) + (", ..." if len(others) > OTHERS_SHOWN else "")
    return f"passed over, as another program than hpo-bench made or ended it: trial {which} of study {store.name}"


def accounts(progress: StudyProgress, seconds: float) -> str:
    """What this call took."""
    spent, own = progress.spent, progress.overhead.trials
    before = f" after {spent.finished - own} of an earlier call" if spent.finished > own else ""
    parts = [f"{counted(own, 'trial')}{before} in {clock(seconds)}"]
    if progress.overhead.trials:
        wall, processor = (1000 * seconds for seconds in progress.overhead.each)
        parts.append(f"{wall:.0f} ms a trial to ask, tell, store and show (of the processor {processor:.0f} ms)")
    if spent.whole.dollars:
        parts.append(f"${expense(spent.whole.dollars)}")
    return ", ".join(parts)


def bill(budget: Budget, trials: Sequence[Trial], expenses: Expenses) -> str:
    """What a study cost in all, and for what; empty where nothing was limited and nothing charged."""
    spent = budget.spent(trials, expenses)
    parts = {
        "trials": Amount(spent.hours, spent.dollars),
        "what they are compared with": budget.amount(expenses.scored),
        "questions and a timed trial before": budget.amount(expenses.asked),
    }
    told = []
    if budget.hours is not None:
        each = ", ".join(f"{what} {expense(one.hours)}" for what, one in parts.items())
        told.append(f"{expense(spent.whole.hours)} of {budget.hours:g} GPU-hours ({each})")
    if budget.dollars is not None or spent.whole.dollars:
        each = ", ".join(f"{what} ${expense(one.dollars)}" for what, one in parts.items())
        limit = "" if budget.dollars is None else f" of ${budget.dollars:g}"
        told.append(f"${expense(spent.whole.dollars)}{limit} ({each})")
    return f"Spent in all: {'; '.join(told)}." if told else ""


def lost(kept: Kept) -> str:
    """`+0.012 [-0.003, +0.027]`: how far below the base VLM, on test examples."""
    low, high = kept.interval
    interval = "" if math.isnan(kept.lost_error) else f" [{low:+.3f}, {high:+.3f}]"
    return f"{kept.lost:+.3f}{interval}"


def _advice(result: TuningResult) -> str:
    """What to do, and how sure that is."""
    setting = MergeSetting(**result.merges[0].setting).named
    low, high = (within_scores(result.mean + side * result.deviation) for side in (-Z95, Z95))
    on = "these examples" if result.cross_fitted else "validation examples"
    interval = "" if math.isnan(result.deviation) else f" [{low:.3f}, {high:.3f}]"
    expected = f"the posterior expects {result.mean:.3f}{interval} there on {on}"
    if result.distinguished:
        return f"Recommended: trial {result.recommended}, {setting}; {expected}."
    return (
        f"Nothing was distinguished: merges and base VLM that are equally good would differ as much on {on} "
        f"with probability {result.luck:.2f}. No change is recommended. Look at the answers below, ask more "
        f"or other examples, or take another metric. Highest is trial {result.recommended}, {setting}; {expected}."
    )


def _range(low: float, high: float) -> str:
    """`0.16 to 0.88`; with more digits where two after the point would not tell the ends from 0."""
    largest = max(abs(low), abs(high))
    digits = max(2, 1 - math.floor(math.log10(largest))) if largest else 2
    return f"{low:.{digits}f} to {high:.{digits}f}"


def _about_luck(result: TuningResult) -> list[str]:
    """How lucky the highest score was, and what so many examples cannot tell."""
    line = next((one for one in result.merges if one.name == "highest score"), result.merges[0])
    told = []
    if result.optimism >= SHOWN:
        # The same trial has both: then it is that way of choosing which was cross-fitted.
        which = "recommended" if line is result.merges[0] else "highest"
        told.append(
            f"The highest of all scores, {line.validation:.3f}, is lucky: whatever is {which} is worth "
            f"{line.test:.3f} ({result.head}), {result.optimism:.3f} less."
        )
    if result.told_apart is not None:
        told.append(
            f"{result.tuned_on:,} examples do not tell the recommended setting from another good one that differs by "
            f"less than {result.told_apart:.3f}; four times as many would halve that."
        )
    return told


def _about_front(keep: Keep, front: Sequence[FrontPoint], hypervolume: float) -> str:
    most, least = front[0], front[-1]
    ends = (
        f"from {most.score:.3f} with {most.kept:.3f} of {keep.category} (trial {most.trial}) to {least.score:.3f} with "
        f"{least.kept:.3f} (trial {least.trial})"
    )
    return (
        f"On the Pareto front, where no trial is better in both goals, lie {counted(len(front), 'trial')}, {ends}, by "
        "posterior means on the examples that were tuned on. `hpo-bench export` writes any by --trial; the recommended "
        f"one has the highest score among those that likely lose at most {keep.at_most_below:g} points. Hypervolume: "
        f"{hypervolume:.3f}, the best score there is, averaged over all that might have to be kept, from 0 to 1."
    )


def _about_keeping(keep: Keep, kept: Kept, chance: float, *, cross_fitted: bool) -> str:
    honest = "Cross-fitted" if cross_fitted else "On test examples"
    allowed = f"at most {keep.at_most_below:g} points ({keep.allowed:.3f}) below the base VLM were allowed"
    on = "these examples" if cross_fitted else "validation examples"
    believed = f"the posterior gives it a chance of {share(chance)} to keep that on {on}"
    if chance < LIKELY:
        believed = f"no setting that was tried likely keeps that, and this one has the best chance, {share(chance)}"
    low, high = kept.interval
    held = (
        "so it is kept"
        if high <= keep.allowed
        else "so too much is lost"
        if low > keep.allowed
        else "so that cannot be told"
    )
    return (
        f"Category {keep.category} had to be kept, {allowed}: {believed}. {honest} it is {lost(kept)} below, "
        f"{held} at 95%. Scores above are on the other examples."
    )
