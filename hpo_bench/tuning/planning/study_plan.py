"""What a study spends, chosen before its first trial: how many settings, each scored on how many examples."""

from dataclasses import asdict, replace

import numpy as np

from hpo_bench.evaluation.examples import VALIDATION_SHARE
from hpo_bench.tuning.config import PLANNED, StudyConfig
from hpo_bench.tuning.options import RunOptions
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
from hpo_bench.tuning.terminal import clock
from hpo_bench.tuning.trial import Job, Run

TIMED_EXAMPLES = 32
"""So many are answered to learn what an example takes."""


def plan_study(config: StudyConfig, options: RunOptions, *, total: int, prices: Prices) -> Spending:
    """How many settings a new study scores, and on how many examples each.

    What the user names is kept, what is left open is chosen so that the expected loss is least. Without a budget of
    time or money it is what the paper's trials on a fifth of the examples would cost, and at least a fifth of the
    examples for each trial that is asked for. Several methods share it evenly.

    Args:
        config: What is wanted of the study.
        options: Its budget.
        total: How many examples there are.
        prices: What a merge and an example take; needed for a budget of time or money.

    Raises:
        UsageError: If the budget does not buy what is asked for.
    """
    methods, dim = len(config.methods), max(config.space(method).dim for method in config.methods)
    each = None if config.examples == PLANNED else config.examples
    settings = None if options.trials is None else max(options.trials // methods, 1)
    budgets = {
        "seconds": None if options.gpu_hours is None else 3600 * options.gpu_hours / methods,
        "dollars": None if options.dollars is None else options.dollars / methods,
    }
    if not any(budgets.values()):
        if settings is not None and each is not None:
            plan = spending(settings, min(each, total), model=model_of(dim), prices=prices)
            return _for_all(plan, options, methods, prices)
        few = min(LEAST_EXAMPLES if each is None else each, total)
        budgets["evaluations"] = max(
            config.usual_trials * VALIDATION_SHARE * total / methods,
            (settings or 0) * VALIDATION_SHARE * total,
            (settings or LEAST_SETTINGS) * few,
        )
    found = [
        plan_spending(total, dim=dim, settings=settings, each=each, **{unit: budget}, **asdict(prices))
        for unit, budget in budgets.items()
        if budget is not None
    ]
    # Of two limits the one that allows less.
    return _for_all(min(found, key=lambda one: (one.evaluations, one.settings)), options, methods, prices)


def _for_all(one: Spending, options: RunOptions, methods: int, prices: Prices) -> Spending:
    """The plan of one method as that of all."""
    trials = options.trials or methods * one.settings
    return replace(
        one, settings=trials, seconds=prices.seconds(trials, one.examples), dollars=prices.dollars(trials, one.examples)
    )


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
    costs = [f"{plan.evaluations:,} example evaluations"]
    costs += [f"about {clock(plan.seconds)}"] if plan.seconds else []
    costs += [f"${plan.dollars:.2f}"] if plan.dollars else []
    first = f"Plan: {plan.settings} settings{race}, each scored on {which} examples ({', '.join(costs)})."
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
        "recommend, and nothing is evaluated again.",
    )


def _left_over(plan: Spending, options: RunOptions) -> str:
    """Why a plan spends far less than it may; empty where it does not."""
    spent = [
        (plan.seconds, 3600 * (options.gpu_hours or 0), clock),
        (plan.dollars, options.dollars or 0, lambda dollars: f"${dollars:.2f}"),
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


def measure_prices(config: StudyConfig, options: RunOptions, run: Run, *, total: int) -> Prices:
    """What a merge and an example take, from a merge and a few examples; nothing is run where no limit needs it.

    Args:
        config: What is wanted of the study.
        options: Its budget.
        run: Does a job.
        total: How many examples there are.

    Raises:
        TuningError: If such a merge fails.
        KeyboardInterrupt: If an end was asked for.
    """
    if options.gpu_hours is None and options.dollars is None:
        return Prices(hourly=options.price)
    space = config.space(config.methods[-1])
    count = min(TIMED_EXAMPLES, total)
    job = Job("a timed trial", space.setting(np.full(space.dim, 0.5)), tuned_on=count)
    cost = timed(run, job)
    return Prices.of(cost, count, hourly=options.price)
