"""A study from its first trial to its result."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from hpo_bench.display.words import counted
from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import first_drawn
from hpo_bench.evaluation.registry import read_benchmark
from hpo_bench.merging.methods import registry
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import BASE
from hpo_bench.tuning import starts
from hpo_bench.tuning.budget import Budget, time_limit
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.goal import Goal, check_examples
from hpo_bench.tuning.interrupt import Interrupt
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.loop import Tuner
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.outcome import baselines, honest
from hpo_bench.tuning.outcome.conclude import conclude
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.summary import accounts, bill, passed_over, show
from hpo_bench.tuning.outcome.to_landscape import write_tables
from hpo_bench.tuning.planning import questions
from hpo_bench.tuning.planning.study_plan import settle
from hpo_bench.tuning.race import Race
from hpo_bench.tuning.storage import lock
from hpo_bench.tuning.storage.expenses import Expenses, pay
from hpo_bench.tuning.storage.opening import check_no_answers, check_reachable
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.storage.url import opened
from hpo_bench.tuning.terminal import screen
from hpo_bench.tuning.trial import Failure, Job, Success, TrialCost, plain
from hpo_bench.tuning.workers.base import Ready, WorkerPool
from hpo_bench.tuning.workers.jobs import result_of
from hpo_bench.tuning.workers.opening import check_workers, kind_of_device, open_workers
from hpo_bench.workers import one_thread
from optimizers.registry import available

PoolOpener = Callable[[Path, tuple[str, ...]], WorkerPool]
"""Opens workers, given a folder for their logs and the starts that they should find from the weights."""


def check(pair: Pair, config: StudyConfig, options: RunOptions) -> None:
    """Refuse what cannot work, before anything is loaded or hashed.

    Args:
        pair: What would be merged.
        config: What is wanted.
        options: How it would be run.

    Raises:
        UsageError: If an option makes no sense, or there are too few examples.
        TuningError: If another study to start from has nothing, or an ability to keep too few examples.
        OptimizerError: If there is no such optimiser.
    """
    kind = config.kind
    if options.workers > 1 and not kind.parallel:
        able = ", ".join(name for name, one in available().items() if one.parallel)
        raise UsageError(
            f"{kind.label} needs each result before it can propose the next, so it cannot use {options.workers} "
            f"workers; take one, or another optimiser: {able}"
        )
    starts.check(config.begin_with, config.methods)
    options.budget(config)
    if options.until is not None and config.keep is not None and config.keep.front:
        raise UsageError("--until tells what one goal has still to gain; with --front give --trials or a budget")
    if not options.folder(config).is_dir():
        starts.check_new(config, options.studies)
    if options.storage is not None:
        check_reachable(opened(options.storage))
    check_workers(options)
    check_examples(pair, keep=config.keep)


def run(
    pair: Pair,
    config: StudyConfig,
    options: RunOptions,
    *,
    console: Console,
    invocation: Invocation,
    open_pool: PoolOpener | None = None,
) -> TuningResult:
    """Tune a pair, or go on where an earlier call stopped, and say what came of it.

    Args:
        pair: What is merged.
        config: Which trials are made.
        options: How they are made, and how many.
        console: Where to show it.
        invocation: How it was asked for, kept for those who look at the study later.
        open_pool: Opens the workers; by default those that the options ask for.

    Raises:
        UsageError: If an option makes no sense.
        TuningError: If the study cannot be begun, continued or brought to an end.
        ResultsError: If what belongs to it cannot be written, as on a full disk.
        OptimizerError: If there is no such optimiser, or it refuses the box.
        KeyboardInterrupt: If the user ended it before.
    """
    check(pair, config, options)
    begin = time.monotonic()
    name, folder = options.name(config), options.folder(config)
    with one_thread(), lock.in_folder(folder), ExitStack() as stack:
        store = TrialStore(folder, name, url=options.storage)
        stack.callback(store.close)
        if options.storage is not None:
            stack.enter_context(lock.in_storage(store.url, name))
        if store.config is None:  # an earlier call may have left the folder, and no study in it
            starts.check_new(config, options.studies)
        wanted = same_files(store, pair, config)
        replace(invocation, study=name, url=options.storage and store.url).write(folder)
        if others := passed_over(store):
            console.print(others)
        if store.config is not None and (result := _finished(store, options)) is not None:
            console.print(f"study {name} is finished; a higher --trials goes on with it")
            show(result, console)
            return result
        trials = store.trials()
        if store.config is None:
            check_no_answers(folder, store.url)  # before the models are loaded
        elif trials:
            console.print(f"study {name} goes on after {counted(len(trials), 'trial')}")
        interrupt = stack.enter_context(Interrupt())
        needed = starts.needed(config.begin_with) if store.config is None else ()
        pool = (open_pool or partial(open_workers, pair, config, options))(folder / "logs", needed)
        stack.callback(pool.stop)
        begun = any(trial.state == "complete" for trial in trials)
        # On how many examples a first trial's time is reckoned, only the workers know of some evaluators.
        facts = {} if begun else _facts(pool, interrupt)

        def do(job: Job) -> Success | Failure:
            asked = Expenses.read(folder).asked
            limit = time_limit(options.timeout, trials, asked=asked, examples=facts.get("validation", 0))
            return result_of(pool, interrupt, job, limit=limit, paid=partial(pay, folder, "asked"))

        questions.ask_base(folder, pair, wanted, do, console, begun=begun, device=kind_of_device(options))
        if (known := store.config) is None:
            begun_at = starts.begun(wanted, facts.get("coefficients", {}), options.studies)
            planned_so = settle(begun_at, options, facts, do, folder=folder, told=console.print)
            if config.keep is not None and planned_so.examples is not None and (every := read_benchmark(pair)):
                first = first_drawn(every, planned_so.examples)
                honest.check_folds(config.keep, [one.id for one in first], [one.category for one in first], begun=False)
            known = store.begin(replace(planned_so, all_counted=True))
        if starts.EXPERIENCE in known.begin_with and not trials:
            count = counted(len(known.learnt_from), "landscape")
            console.print(f"Begins where {count} recorded of other pairs were best.")
        budget = options.budget(known)
        examples = facts.get("validation", 0) if known.examples is None else known.examples
        goal = _goal(known, store, pool, interrupt, options.timeout, examples)
        plan = planned(store, budget)
        race = Race.of(known, config.kind, budget=plan, goal=goal)
        merged = ", ".join(map(registry.label, known.methods))
        with screen(console, f"{pair.name}: {merged} by {config.kind.label}, study {folder}") as shown:
            tuner = Tuner(
                store=store,
                race=race,
                pool=pool,
                budget=budget,
                interrupt=interrupt,
                screen=shown,
                timeout=options.timeout,
                patience=options.patience,
                examples=examples,
            )
            store.plan(plan)  # only now, as the optimisers have proposed the stored trials again
            ending = tuner.run()
        console.print(accounts(tuner.progress, time.monotonic() - begin))
        if ending == "interrupted":
            raise KeyboardInterrupt(f"study {name} goes on where it stopped when it is asked for again")
        on = "test examples" if known.examples is None else "what there is without tuning"
        # Said before, as nothing shows that it was noticed while merges are scored, which may take hours.
        ends = "Ctrl-C ends after what is running, a second one at once"
        console.print(f"scoring {'on ' * (known.examples is None)}{on} ... ({ends})")
        rest = (tuner.ahead, budget.further(tuner.progress.spent)) if ending == "gain" else None
        write_tables(store)  # before the result, by which a study that is given once more is known to be finished
        result = conclude(store, pool, interrupt, beside=options.beside, timeout=options.timeout, rest=rest)
        show(result, console)
        if told := bill(budget, store.trials(), Expenses.read(folder)):
            console.print(told)
        return result


def dry_run(
    pair: Pair,
    config: StudyConfig,
    options: RunOptions,
    *,
    console: Console,
    open_pool: PoolOpener | None = None,
    published: float | None = None,
) -> tuple[questions.Reference, ...]:
    """Do all that comes before the first trial, for what there is without tuning too, and leave nothing behind.

    Args:
        pair: What would be merged.
        config: Which trials would be made.
        options: How they would be made.
        console: Where to show what is asked and said.
        open_pool: Opens the workers; by default those that the options ask for.
        published: The base VLM's score elsewhere, from 0 to 100, to be set against ours.

    Raises:
        UsageError: If an option makes no sense.
        TuningError: If the study could not be begun or continued, or the base VLM cannot be evaluated.
        OptimizerError: If there is no such optimiser, or it refuses the box.
    """
    questions.check_published(published)
    check(pair, config, options)
    with one_thread(), ExitStack() as stack:
        if (store := TrialStore.look(options.folder(config), options.name(config), url=options.storage)) is not None:
            stack.callback(store.close)
            same_files(store, pair, config)
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="hpo-bench-")))
        interrupt = stack.enter_context(Interrupt())
        pool = (open_pool or partial(open_workers, pair, config, options))(logs, ())
        stack.callback(pool.stop)
        asked, facts = TrialCost(), _facts(pool, interrupt)

        def paid(cost: TrialCost) -> None:
            nonlocal asked
            asked += cost

        def do(job: Job) -> Success | Failure:
            limit = time_limit(options.timeout, (), asked=asked, examples=facts["validation"])
            return result_of(pool, interrupt, job, limit=limit, paid=paid)

        return questions.ask_references(do, console, published=published)


def planned(store: TrialStore, budget: Budget) -> int:
    """How many trials the optimisers plan for: fewer than before would be another plan, which proposed other trials."""
    begun = len(store.trials())
    return max(budget.trials, begun, store.planned if begun else 0)


def same_files(store: TrialStore, pair: Pair, config: StudyConfig) -> StudyConfig:
    """What the user wants, with the pair's files.

    Raises:
        TuningError: If a study of it was begun with something else.
    """
    wanted = replace(config, checkpoints=pair.file_hashes())
    if store.config is not None:
        wanted.check_same(store.config, store.name)
    return wanted


def _facts(pool: WorkerPool, interrupt: Interrupt) -> Mapping[str, Any]:
    """What the workers know of the pair, as soon as one is ready."""
    event = None
    while not isinstance(event, Ready):
        if interrupt.requested:
            raise KeyboardInterrupt
        event = pool.poll(0.25)
    return event.facts


def _goal(
    config: StudyConfig, store: TrialStore, pool: WorkerPool, interrupt: Interrupt, timeout: float | None, examples: int
) -> Goal:
    """What the study is after; an ability to keep is measured on the base VLM once, which is compared with anyhow."""
    if config.keep is None:
        return Goal()
    limit = time_limit(timeout, store.trials(), asked=Expenses.read(store.folder).asked, examples=examples)
    scored = baselines.score(
        store.folder, [BASE], pool, interrupt, limit=limit, splits=("validation",), tuned_on=config.examples
    )
    base = scored[BASE]["validation"]
    config.keep.sides(base)  # refuses categories that are not there
    if config.examples is not None:  # of some evaluators nobody knew them before
        honest.check_folds(config.keep, base.ids, base.categories, begun=True)
    return Goal(config.keep, base)


def _finished(store: TrialStore, options: RunOptions) -> TuningResult | None:
    """The result of a study that has nothing left to do; None if it has."""
    result, trials, budget = TuningResult.read(store.folder), store.trials(), options.budget(store.begun)
    spent = budget.spent(trials, Expenses.read(store.folder))
    left = spent.finished < min(spent.trials, budget.trials)
    if result is None or result.trials != spent.finished or left:
        return None
    scored = {one.name: one.setting for one in result.merges}
    if any(scored.get(name) != plain(setting) for name, setting in options.beside.items()):
        return None
    return result if not budget.allow(spent) or result.enough(budget, spent) else None
