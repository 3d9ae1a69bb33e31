"""A study from its first trial to its verdict."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import BUDGETS, EVALUATIONS_PER_DIMENSION
from hpo_bench.errors import UsageError
from hpo_bench.evaluation.options import without_secrets
from hpo_bench.merging.methods import registry
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning import lock, rehearsal, starts
from hpo_bench.tuning.budget import Limits, check_timeout, time_limit
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.enough import check_examples
from hpo_bench.tuning.goal import Goal, Keep
from hpo_bench.tuning.interrupt import Brake
from hpo_bench.tuning.loop import PATIENCE, Tuner
from hpo_bench.tuning.outcome import baselines
from hpo_bench.tuning.outcome.result import Verdict, judge
from hpo_bench.tuning.outcome.summary import accounts, passed_over, show
from hpo_bench.tuning.outcome.to_landscape import write_tables
from hpo_bench.tuning.race import Contest
from hpo_bench.tuning.space import COEFFICIENTS, DENSITY, MergeSpace, Range
from hpo_bench.tuning.storage import TrialStore, check_reachable
from hpo_bench.tuning.storage_url import opened
from hpo_bench.tuning.study import Origin
from hpo_bench.tuning.terminal import screen
from hpo_bench.tuning.workers.base import Crew, Ready
from optimizers import Optimizer
from optimizers.registry import available

MOST_TRIALS = 1000
"""Where only money or time limits a study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a user wants tuned, and for how much.

    Attributes:
        pair: What to merge.
        methods: Merge methods; several race.
        optimizer: A name or an address.
        trials: At most so many; by default those of the study, unless hours or dollars are limited.
        hours: At most so many hours of a device.
        dollars: At most so much money.
        price: Dollars an hour of a device.
        coefficients: Range of both coefficients.
        density: Range of densities.
        sum_to_one: Whether the coefficients must sum to one.
        starts: Where to begin; see `starts.resolve`.
        seed: Of the optimiser.
        mask_seed: Of DARE's masks.
        name: The study's name; by default from pair, methods, optimiser and seed.
        studies: The folder in which studies lie.
        url: An Optuna storage; by default an SQLite file in the study's folder.
        timeout: Seconds that a trial may take.
        patience: So many failures in a row end the tuning.
        keep: An ability that must not be lost.
        beside: Settings to compare the recommended one with, by name, beside the usual ones.
    """

    pair: Pair
    methods: tuple[str, ...] = ("ta",)
    optimizer: str = "gp-bo"
    trials: int | None = None
    hours: float | None = None
    dollars: float | None = None
    price: float = 0.0
    coefficients: Range = COEFFICIENTS
    density: Range = DENSITY
    sum_to_one: bool = False
    starts: tuple[str, ...] = ()
    seed: int = 0
    mask_seed: int = 0
    name: str | None = None
    studies: Path = Path("tuning")
    url: str | None = None
    timeout: float | None = None
    patience: int = PATIENCE
    keep: Keep | None = None
    beside: Mapping[str, MergeSetting] | None = None

    @property
    def study(self) -> str:
        """The study's name."""
        optimizer = self.optimizer.rpartition(":")[2]
        return self.name or "-".join(
            [self.pair.name, *(registry.get(one).name for one in self.methods), optimizer, str(self.seed)]
        )

    @property
    def limits(self) -> Limits:
        """The budget.

        Raises:
            UsageError: If a limit makes no sense.
        """
        dim = max(MergeSpace(m, self.coefficients, self.density, self.sum_to_one).dim for m in self.methods)
        usual = BUDGETS.get(dim, EVALUATIONS_PER_DIMENSION * dim)
        default = usual if self.hours is None and self.dollars is None else MOST_TRIALS
        if self.dollars is not None and self.price == 0 and not self.pair.evaluation:
            raise UsageError("--dollars needs --price, the dollars that an hour of the device costs")
        return Limits(trials=self.trials or default, hours=self.hours, dollars=self.dollars, price=self.price)


Coefficients = Mapping[str, tuple[float, float]]
CrewOpener = Callable[[Path, tuple[str, ...]], Crew]
"""Opens workers, given a folder for their logs and the coefficients that they should compute."""


def check(request: Request, *, workers: int) -> type[Optimizer]:
    """Refuse what cannot work, before anything is loaded.

    Args:
        request: What is wanted.
        workers: How many workers there will be.

    Returns:
        The optimiser's class.

    Raises:
        UsageError: If an option makes no sense, or there are too few examples.
        LiveError: If another study to start from has nothing, or an ability to keep too few examples.
        OptimizerError: If there is no such optimiser.
    """
    if not request.methods or len(set(request.methods)) < len(request.methods):
        raise UsageError("name one merge method, or several different ones to race")
    kind = Contender.find(request.optimizer).kind
    if workers > 1 and not kind.parallel:
        able = ", ".join(name for name, one in available().items() if one.parallel)
        raise UsageError(
            f"{kind.label} needs each result before it can propose the next, so it cannot use {workers} workers; take "
            f"one, or another optimiser: {able}"
        )
    starts.check(request.starts, request.methods)
    if not (request.studies / request.study).is_dir():
        starts.check_studies(request.starts, request.studies)
    if request.url is not None:
        opened(request.url)
    check_timeout(request.timeout)
    _ = request.limits
    name = request.study
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
        raise UsageError(f"a study's name is letters, digits, '-', '_' and '.', not {name!r}; give one with --study")
    check_examples(request.pair, keep=request.keep)
    return kind


def tune(request: Request, open_crew: CrewOpener, console: Console, *, workers: int, origin: Origin) -> Verdict | None:
    """Tune a pair, or go on where an earlier call stopped, and say what came of it.

    Args:
        request: What is wanted.
        open_crew: Opens the workers.
        console: Where to show it.
        workers: How many workers that will be.
        origin: How it was asked for, kept for those who look at the study later.

    Returns:
        The verdict; None if the user ended it before.

    Raises:
        UsageError: If an option makes no sense.
        LiveError: If the study cannot be begun, continued or brought to an end.
        OptimizerError: If there is no such optimiser, or it refuses the box.
    """
    kind = check(request, workers=workers)
    limits = request.limits
    begin = time.monotonic()
    folder = request.studies / request.study
    with lock.in_folder(folder), ExitStack() as stack:
        store = TrialStore(folder, request.study, url=request.url)
        stack.callback(store.close)
        if request.url is not None:
            stack.enter_context(lock.in_storage(store.url, request.study))
        wanted = _config(request, kind, store)
        replace(origin, study=request.study, url=request.url and store.url).write(folder)
        if others := passed_over(store):
            console.print(others, highlight=False, soft_wrap=True)
        if store.config is not None and (verdict := _finished(store, limits)) is not None:
            console.print(f"study {request.study} is finished; a higher --trials goes on with it", highlight=False)
            show(verdict, console)
            return verdict
        if store.config is None and not starts.needed(request.starts):
            store.begin(_with_starts(wanted, request, {}))
        brake = stack.enter_context(Brake())
        crew = open_crew(folder / "logs", starts.needed(request.starts) if store.config is None else ())
        stack.callback(crew.stop)
        config = store.config or store.begin(_with_starts(wanted, request, _coefficients(crew, brake)))
        methods = ", ".join(map(registry.label, config.methods))
        title = f"{request.pair.name}: {methods} by {kind.label}, study {folder}"
        trials = store.trials()
        limit = time_limit(request.timeout, trials)
        rehearsal.of_study(
            folder,
            request.pair,
            config,
            crew,
            brake,
            console,
            limit=limit,
            begun=any(t.state == "complete" for t in trials),
        )
        goal = _goal(config, store, crew, brake, request.timeout)
        budget = planned(store, limits)
        contest = Contest.of(config, kind, budget=budget, goal=goal)
        with screen(console, title) as shown:
            tuner = Tuner(
                store=store,
                contest=contest,
                crew=crew,
                limits=limits,
                brake=brake,
                screen=shown,
                timeout=request.timeout,
                patience=request.patience,
            )
            store.plan(budget)  # only now, as the optimisers have proposed the stored trials again
            ending = tuner.run()
        console.print(accounts(tuner.board, time.monotonic() - begin), highlight=False, soft_wrap=True)
        if ending == "interrupted":
            return None
        console.print("scoring on test examples ...", highlight=False)
        verdict = judge(store, crew, brake, beside=request.beside, timeout=request.timeout)
        write_tables(store)
        show(verdict, console)
        return verdict


def dry_run(request: Request, open_crew: CrewOpener, console: Console, *, workers: int) -> None:
    """Do all that comes before the first trial, and leave nothing behind.

    Args:
        request: What is wanted.
        open_crew: Opens the workers.
        console: Where to show what is asked and said.
        workers: How many workers there would be.

    Raises:
        UsageError: If an option makes no sense.
        LiveError: If the study could not be begun or continued, or the base VLM cannot be evaluated.
        OptimizerError: If there is no such optimiser, or it refuses the box.
    """
    kind = check(request, workers=workers)
    folder = request.studies / request.study
    if request.url is not None:
        check_reachable(opened(request.url))
    with ExitStack() as stack:
        if (folder / "study.sqlite3").exists() and request.url is None:
            store = TrialStore(folder, request.study, existing=True)
            stack.callback(store.close)
            _config(request, kind, store)
        logs = Path(stack.enter_context(TemporaryDirectory(prefix="hpo-bench-")))
        brake = stack.enter_context(Brake())
        crew = open_crew(logs, ())
        stack.callback(crew.stop)
        rehearsal.show(rehearsal.ask(crew, brake, limit=time_limit(request.timeout, ())), console)


def _config(request: Request, kind: type[Optimizer], store: TrialStore) -> StudyConfig:
    """What the user wants, which must be what the study was begun with."""
    wanted = StudyConfig(
        pair=request.pair.name,
        checkpoints=request.pair.file_hashes(),
        evaluation=without_secrets(request.pair.evaluation),
        methods=request.methods,
        optimizer=request.optimizer,
        optimizer_version=kind.version,
        seed=request.seed,
        mask_seed=request.mask_seed,
        coefficients=request.coefficients,
        density=request.density,
        sum_to_one=request.sum_to_one,
        begin_with=request.starts,
        keep=request.keep,
    )
    if store.config is not None:
        wanted.check_same(store.config, store.name)
    return wanted


def _coefficients(crew: Crew, brake: Brake) -> Coefficients:
    """What the workers found from the weights, as soon as one is ready."""
    event = None
    while not isinstance(event, Ready):
        if brake.pressed:
            raise KeyboardInterrupt
        event = crew.poll(0.25)
    return event.facts["coefficients"]


def _goal(config: StudyConfig, store: TrialStore, crew: Crew, brake: Brake, timeout: float | None) -> Goal:
    """What the study is after; an ability to keep is measured on the base VLM once, outside the budget."""
    if config.keep is None:
        return Goal()
    limit = time_limit(timeout, store.trials())
    scored = baselines.score(store.folder, [baselines.BASE], crew, brake, limit=limit, splits=("validation",))
    base = scored[baselines.BASE]["validation"]
    config.keep.sides(base)  # refuses categories that are not there
    return Goal(config.keep, base)


def _with_starts(config: StudyConfig, request: Request, coefficients: Coefficients) -> StudyConfig:
    """The same with its starts as points."""
    found = {
        method: starts.resolve(
            config.begin_with, config.space(method), coefficients=coefficients, studies=request.studies
        )
        for method in config.methods
    }
    return replace(config, starts={method: points for method, points in found.items() if points})


def _finished(store: TrialStore, limits: Limits) -> Verdict | None:
    """The verdict of a study that has nothing left to do; None if it has."""
    verdict, trials = Verdict.read(store.folder), store.trials()
    spent = limits.spent(trials)
    left = spent.finished < min(spent.trials, limits.trials)
    done = verdict is not None and verdict.trials == spent.finished and not left
    return verdict if done and not limits.allow(spent) else None


def planned(store: TrialStore, limits: Limits) -> int:
    """How many trials the optimisers plan for: fewer than before would be another plan, which proposed other trials."""
    begun = len(store.trials())
    return max(limits.trials, begun, store.planned if begun else 0)
