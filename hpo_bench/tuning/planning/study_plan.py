"""What a study spends, chosen before its first trial: how many settings, each scored on how many examples."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from hpo_bench.display.words import counted, expense
from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import VALIDATION_SHARE
from hpo_bench.tuning import starts
from hpo_bench.tuning.closing import SHOWN_EXAMPLES, SHOWN_MERGES, compared, finally_scored
from hpo_bench.tuning.config import PLANNED, StudyConfig
from hpo_bench.tuning.options import NEEDS_PRICE, RunOptions
from hpo_bench.tuning.planning.forecast import timed
from hpo_bench.tuning.planning.spending import (
    ALIKE,
    LEAST_EXAMPLES,
    LEAST_SETTINGS,
    Prices,
    Spending,
    model_of,
    plan_spending,
    spending,
)
from hpo_bench.tuning.storage.expenses import Expenses
from hpo_bench.tuning.terminal import clock
from hpo_bench.tuning.trial import Job, Run, TrialCost

TIMED_EXAMPLES = 32
"""So many are answered to learn what an example takes."""
LIMITS = {"seconds": "--gpu-hours", "dollars": "--dollars"}
SHOWN: Mapping[str, Callable[[float], str]] = {"seconds": clock, "dollars": lambda value: f"${expense(value)}"}
_NOTHING = TrialCost()


def settle(
    config: StudyConfig,
    options: RunOptions,
    facts: Mapping[str, Any],
    run: Run,
    *,
    folder: Path,
    told: Callable[[str], None],
) -> StudyConfig:
    """What is wanted of a new study, with how many settings are scored on how many examples.

    Args:
        config: What is wanted of it.
        options: Its budget.
        facts: What workers know of the pair, such as how many validation and test examples there are.
        run: Does a job.
        folder: The study's, where it is kept what was paid for.
        told: Takes each sentence on what is about to be spent.

    Raises:
        UsageError: If the budget does not buy what is asked for.
        TuningError: If the merge that is timed fails.
        KeyboardInterrupt: If an end was asked for.
    """
    limited = options.gpu_hours is not None or options.dollars is not None
    if config.examples is None and not limited:
        return config
    if config.keep is not None and config.keep.front and options.trials is None:
        # Few settings find a maximum; a front takes as many as there is money for.
        options = replace(options, trials=config.usual_trials)
    validation, total = facts["validation"], facts["validation"] + facts["test"]
    prices = measure_prices(config, options, run, total=total, spent=Expenses.read(folder).asked)
    spent = Expenses.read(folder).asked if limited else _NOTHING
    if config.examples is None:
        check_held_out(options, validation=validation, test=facts["test"], prices=prices, spent=spent)
        return replace(config, reckoned=prices.trial(validation))
    plan = plan_study(config, options, total=total, prices=prices, spent=spent)
    for sentence in sentences(plan, config, options, total=total, validation=validation):
        told(sentence)
    reckoned = prices.trial(plan.examples) if limited else None
    known = replace(config, examples=config.examples or plan.examples, trials=plan.settings, reckoned=reckoned)
    if options.trials is None and (few := starts.of_few(known)) is not None:
        told(few[1])
        return few[0]
    return known


def plan_study(
    config: StudyConfig, options: RunOptions, *, total: int, prices: Prices, spent: TrialCost = _NOTHING
) -> Spending:
    """How many settings a new study scores, and on how many examples each.

    What the user names is kept, what is left open is chosen so that the expected loss is least. Without a budget of
    time or money it is what the paper's trials on a fifth of the examples would cost, and at least a fifth of the
    examples for each trial that is asked for. Several methods share it evenly. A budget of time or money is that of all
    that the study does: it keeps room for what the merge is compared with, on as many examples, and for answers that
    are shown at the end.

    Args:
        config: What is wanted of the study.
        options: Its budget.
        total: How many examples there are.
        prices: What a merge and an example take; needed for a budget of time or money.
        spent: What was paid for before the first trial.

    Raises:
        UsageError: If the budget does not buy what is asked for.
    """
    methods, dim = len(config.methods), max(config.space(method).dim for method in config.methods)
    each = None if config.examples == PLANNED else config.examples
    settings = None if options.trials is None else max(options.trials // methods, 1)
    left = _left(options, prices, spent)
    budgets, beside = {unit: one / methods for unit, one in left.items()}, compared(len(options.beside)) / methods
    if settings is not None and options.trials is not None:
        beside += options.trials / methods - settings  # those that cannot be shared evenly are paid for as well
    if not budgets:
        beside = 0.0  # a fifth of the examples is what settings alone answer
        if settings is not None and each is not None:
            plan = spending(settings, min(each, total), model=model_of(dim), prices=prices)
            return _for_all(plan, options, methods, prices, spent)
        few = min(LEAST_EXAMPLES if each is None else each, total)
        budgets["evaluations"] = max(
            config.usual_trials * VALIDATION_SHARE * total / methods,
            (settings or 0) * VALIDATION_SHARE * total,
            (settings or LEAST_SETTINGS) * few,
        )
    try:
        found = [
            plan_spending(total, dim=dim, settings=settings, each=each, beside=beside, **{unit: one}, **asdict(prices))
            for unit, one in budgets.items()
        ]
    except UsageError as error:
        aside = _aside(prices, spent)
        taken = " and ".join(f"{SHOWN[unit](aside[unit])} of {LIMITS[unit]}" for unit in left)
        raise UsageError(
            f"{error}{f' (questions before the first trial, and answers shown, take {taken})' if taken else ''}"
        ) from error
    # Of two limits the one that allows less.
    return _for_all(min(found, key=lambda one: (one.evaluations, one.settings)), options, methods, prices, spent)


def _for_all(one: Spending, options: RunOptions, methods: int, prices: Prices, spent: TrialCost) -> Spending:
    """The plan of one method as that of all, with what is counted beside settings."""
    trials = options.trials or methods * one.settings
    merges, aside = trials + compared(len(options.beside)), _aside(prices, spent)
    return replace(
        one, settings=trials, seconds=aside["seconds"] + prices.seconds(merges, one.examples),
        dollars=aside["dollars"] + prices.dollars(merges, one.examples),
    )  # fmt: skip


def check_held_out(
    options: RunOptions, *, validation: int, test: int, prices: Prices, spent: TrialCost = _NOTHING
) -> None:
    """Refuse limits that do not even buy one setting of a study that holds examples out, and what that is scored with.

    Args:
        options: The limits.
        validation: How many examples are tuned on.
        test: How many are held out, and answered at the end.
        prices: What a merge and an example take.
        spent: What was paid for before the first trial.

    Raises:
        UsageError: If they do not.
    """
    merges = finally_scored(len(options.beside))
    for unit, left in _left(options, prices, spent).items():
        cost = getattr(prices, unit)
        if (needed := cost(1, validation) + cost(merges, validation + test)) > left:
            raise UsageError(
                f"one setting on {validation:,} examples, and {merges} merges on all {validation + test:,} at the end, "
                f"take {SHOWN[unit](needed)}, and {SHOWN[unit](left)} of {LIMITS[unit]} is left; give more, or limit "
                "the examples"
            )


def _left(options: RunOptions, prices: Prices, spent: TrialCost) -> Mapping[str, float]:
    """What of each limit is left for settings and what they are compared with, in its unit."""
    limits = {"seconds": 3600 * options.gpu_hours if options.gpu_hours else None, "dollars": options.dollars}
    aside = _aside(prices, spent)
    left = {unit: limit - aside[unit] for unit, limit in limits.items() if limit is not None}
    for unit, one in left.items():
        if one <= 0:
            raise UsageError(
                f"{LIMITS[unit]} buys no setting: questions before the first trial, its timing, and answers shown at "
                f"the end take {SHOWN[unit](aside[unit])} of it; give more"
            )
    return left


def _aside(prices: Prices, spent: TrialCost) -> Mapping[str, float]:
    """Seconds and dollars of what was asked before the first trial, and of answers that are shown at the end."""
    hourly = spent.seconds / 3600 * prices.hourly
    return {
        "seconds": spent.seconds + prices.seconds(SHOWN_MERGES, SHOWN_EXAMPLES),
        "dollars": hourly + spent.dollars + prices.dollars(SHOWN_MERGES, SHOWN_EXAMPLES),
    }


def sentences(
    plan: Spending, config: StudyConfig, options: RunOptions, *, total: int, validation: int
) -> tuple[str, ...]:
    """What is about to be spent, and what that can and cannot tell.

    Args:
        plan: The plan.
        config: What it is for.
        options: The budget.
        total: How many examples there are.
        validation: How many of them the split would make validation examples.
    """
    dim, methods = max(config.space(method).dim for method in config.methods), len(config.methods)
    every = plan.examples >= total
    which = f"all {total:,}" if every else f"{plan.examples:,} of {total:,}"
    race = f" of {methods} methods together" if methods > 1 else ""
    costs = [counted(plan.evaluations, "example evaluation")]
    whole = [f"about {clock(plan.seconds)}"] if plan.seconds else []
    whole += [f"${expense(plan.dollars)}"] if plan.dollars else []
    costs += [f"{' and '.join(whole)} with all that is counted beside them"] if whole else []
    first = f"Plan: {counted(plan.settings, 'setting')}{race}, each scored on {which} examples ({', '.join(costs)})."
    if plan.settings >= LEAST_SETTINGS * methods and validation:
        usual = config.usual_trials
        paper = model_of(dim).loss(max(usual // methods, 1), validation)
        first += (
            f" It is expected to lose {plan.expected_loss:.1f} points on unseen examples, against the best merge there "
            f"is; {usual} settings on a fifth of the examples would lose {paper:.1f}."
        )
    if config.examples and config.examples > total:
        first += f" There are no more examples, though --examples-each asks for {config.examples:,}."
    return (
        first + _left_over(plan, options),
        f"{plan.examples:,} examples do not tell two good settings apart that differ by less than "
        f"{plan.told_apart:.1f} points{'' if every else '; --examples-each takes more of them'}.",
        "The score of the recommended merge is cross-fitted: each example is scored at the setting that the others "
        f"recommend, and no setting is evaluated again.{f' {counted_beside(options)}' if whole else ''}",
    )


def counted_beside(options: RunOptions) -> str:
    """A sentence on what a study takes beside its settings."""
    return (
        f"Counted beside the settings: {compared(len(options.beside))} merges to compare with, such as the base VLM, "
        "on the same examples; questions before the first trial, and timing; answers shown at the end. Loading models "
        "is not counted."
    )


def _left_over(plan: Spending, options: RunOptions) -> str:
    """Why a plan spends far less than it may; empty where it does not."""
    spent = [
        (plan.seconds, 3600 * (options.gpu_hours or 0), SHOWN["seconds"]),
        (plan.dollars, options.dollars or 0, SHOWN["dollars"]),
    ]
    limits = [(used, limit, shown) for used, limit, shown in spent if limit]
    if not limits or any(used > 0.9 * limit for used, limit, _ in limits):
        return ""
    allowed = " and ".join(f"{shown(used)} of {shown(limit)}" for used, limit, shown in limits)
    why = (
        f"further settings are expected to gain less than {ALIKE:g} points"
        if options.trials is None
        else "--trials names no more settings"
    )
    return f" It takes {allowed}: {why}."


def measure_prices(
    config: StudyConfig, options: RunOptions, run: Run, *, total: int, spent: TrialCost = _NOTHING
) -> Prices:
    """What a merge and an example take, from a merge and a few examples; nothing is run where no limit needs it.

    Args:
        config: What is wanted of the study.
        options: Its budget.
        run: Does a job.
        total: How many examples there are.
        spent: What was paid for before.

    Raises:
        UsageError: If a limit is reached by that alone, or is one of money and nothing costs any.
        TuningError: If such a merge fails.
        KeyboardInterrupt: If an end was asked for.
    """
    if options.gpu_hours is None and options.dollars is None:
        return Prices(hourly=options.price)
    _left(options, Prices(hourly=options.price), spent)
    space = config.space(config.methods[-1])
    count = min(TIMED_EXAMPLES, total)
    job = Job("a timed trial", space.setting(np.full(space.dim, 0.5)), tuned_on=count)
    cost = timed(run, job)
    if options.dollars is not None and not options.price and not cost.dollars:
        raise UsageError(NEEDS_PRICE)  # a limit that nothing counts towards is none
    return Prices.of(cost, count, hourly=options.price)
