"""From what the user asked for to a finished results folder."""

import hashlib
import importlib.metadata
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import pandas as pd
from rich.console import Console

import optimizers
from hpo_bench.analyses import fidelity
from hpo_bench.benchmark import runner
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.outcome import BenchmarkResult, publish
from hpo_bench.benchmark.plan import SEEDS, Plan
from hpo_bench.benchmark.replay.problem import LEAST_SEEN, ReplayedLandscape, UnansweredError
from hpo_bench.benchmark.replay.unseen import JUDGED, figures, replayed
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.benchmark.summary import summary
from hpo_bench.benchmark.tables import moments
from hpo_bench.display.progress import Progress
from hpo_bench.errors import UsageError
from hpo_bench.files import sha256
from hpo_bench.peers import registry as peers
from hpo_bench.workers import Workers, each, one_thread
from landscapes import catalogue
from landscapes.errors import UnknownLandscapeError
from landscapes.functions.suites import FAMILIES, SUITES, functions
from landscapes.landscape import Landscape
from landscapes.problem import Problem
from landscapes.suites import boxes, mini
from landscapes.suites.recorded import SUITES as RECORDED
from landscapes.suites.recorded import members
from landscapes.written import read_json
from optimizers.base import Optimizer
from optimizers.registry import REGISTRY
from surrogates.spelling import offer

if TYPE_CHECKING:
    from hpo_bench.benchmark.page import Report

HOUSE = Path(__file__).parents[2]
GOALS = ("score", "test")
"""What a run looks for: the highest score, or the highest on examples that it does not see."""
DERIVES = (
    "hpo_bench/benchmark/**/*", "hpo_bench/analyses/**/*", "hpo_bench/display/**/*",
    "hpo_bench/statistics/*.py", "landscapes/**/*.py", "surrogates/*.py",
)  # fmt: skip
"""Files that figures and tables follow from, next to the runs."""


def modules(identities: Sequence[str | type[Optimizer]], *, report: bool) -> list[str]:
    """What workers will import for a benchmark, to be told ahead of them; see `plan` and `execute`."""
    addresses = [address for name, address in REGISTRY.built_in.items() if not identities or name in identities]
    ours = [__name__, *(["hpo_bench.benchmark.page"] if report else [])]
    return [*ours, *(address.split(":")[0] for address in addresses)]


def plan(
    patterns: Sequence[str],
    *,
    identities: Sequence[str | type[Optimizer]],
    seeds: int | None,
    budget: int | None,
    surrogate: str | None,
    landscapes_dir: Path | None,
    with_peers: bool = False,
    suites: Sequence[str] = (),
    start: str = "own",
    noisy: bool = False,
    goal: str = "score",
    examples_each: int | None = None,
    warned: Callable[[str], object] = lambda _: None,
) -> Plan:
    """What the user asked for, checked; the arguments are those of `hpo_bench.run_benchmark`.

    Of landscapes that nobody named, those that the goal "test" cannot replay are left out, and `warned` is told of it.

    Raises:
        HpoBenchError: If it makes no sense.
        LandscapeError: If a landscape is unknown or cannot be used.
        OptimizerError: If an optimiser is unknown or cannot be used.
        SurrogateError: If the surrogate is unknown.
    """
    if goal not in GOALS:
        raise UsageError(f"no goal is called {goal!r}; {offer(goal, GOALS)}")
    if suites and landscapes_dir:
        raise UsageError("a suite lies in no folder of yours: leave out --landscapes-dir, or --suite")
    of_functions = [suite for suite in suites if suite not in RECORDED]
    for suite in of_functions:
        if suite not in (known := (*RECORDED, *FAMILIES, *SUITES)):
            raise UnknownLandscapeError(f"no suite is called {suite!r}; {offer(suite, known)}")
    if of_functions and surrogate:
        raise UsageError("functions need no surrogate: leave out --surrogate")
    if goal == "test" and (noisy or surrogate or of_functions):
        told = "--noisy" if noisy else "--surrogate" if surrogate else "suites of functions"
        raise UsageError(f"--goal test replays recorded answers, which have noise of their own; leave out {told}")
    if goal != "test" and examples_each is not None:
        raise UsageError("--examples-each needs --goal test, which replays answers example by example")
    if examples_each is not None and examples_each < LEAST_SEEN:
        raise UsageError(f"--examples-each takes {LEAST_SEEN} or more: a single answer has no standard error")
    if seeds is None:
        seeds = mini.SEEDS if set(suites) == {mini.NAME} else SEEDS
    found: list[Problem] = []
    if not suites:
        wanted = patterns or boxes.usual(landscapes_dir)
        found += catalogue.load_all(wanted, surrogate=surrogate, root=landscapes_dir)
    if of_functions:
        found += functions(of_functions, patterns)
    if recorded := sorted({name for suite in suites if suite in RECORDED for name in members(suite, patterns)}):
        found += catalogue.load_all(recorded, surrogate=surrogate)
    if not found:
        raise UnknownLandscapeError(f"no landscape is recorded under {landscapes_dir or catalogue.ROOT}")
    # After the landscapes, whose names are checked sooner than PyTorch is imported.
    named = [*(identities or optimizers.available()), *(peers.TOGETHER if with_peers else ())]
    contenders = tuple(Contender.find(identity) for identity in dict.fromkeys(named))
    if goal == "test":
        found = _replayed(found, examples_each, named=bool(patterns), warned=warned)
        return Plan(contenders, tuple(found), seeds, budget, start, True, JUDGED, landscapes_dir)
    return Plan(contenders, tuple(found), seeds, budget, start, noisy, root=landscapes_dir)


def _replayed(
    landscapes: Sequence[Problem], examples_each: int | None, *, named: bool, warned: Callable[[str], object]
) -> list[Problem]:
    found: list[Problem] = []
    lacking: dict[str, UnansweredError] = {}
    for one in (landscape for landscape in landscapes if isinstance(landscape, Landscape)):
        try:
            found.append(ReplayedLandscape(one, examples_each))
        except UnansweredError as error:
            lacking[one.name] = error
    if lacking and (named or not found):
        raise next(iter(lacking.values()))
    for why in sorted({error.why for error in lacking.values()}):
        names = ", ".join(name for name, error in lacking.items() if error.why == why)
        warned(f"left out, as {why}: {names}")
    return found


def execute(
    plan: Plan,
    folder: ResultsFolder,
    *,
    workers: Workers,
    report: bool,
    progress: Console,
) -> BenchmarkResult:
    """Make the runs that are missing, and whatever of tables, figures and page is not up to date.

    Args:
        plan: What to run.
        folder: Where.
        workers: Who makes the runs.
        report: Whether figures and page are wanted.
        progress: Where to show progress.

    Raises:
        HpoBenchError: If an optimiser fails or the folder cannot be used.
    """
    begun = time.monotonic()
    runs = list(plan.runs())
    keys = {run.key for run in runs}
    inputs = _inputs(plan, sorted(keys))
    page = folder.path / "index.html" if report else None
    known = _known(folder, inputs, report=report)
    if keys <= folder.keys() and known is not None:
        table = pd.read_parquet(folder.path / "runs.parquet")
        return BenchmarkResult(plan, known, table, made=0, reused=len(runs), page=page)
    # Before anything is run or written: a landscape that cannot be used must not cost the others' runs.
    jobs = min(workers.jobs, joblib.cpu_count())
    fidelity.announce(plan.landscapes, progress)
    plan = replace(plan, landscapes=tuple(each(_prepared, plan.landscapes, jobs=jobs)))
    made = runner.run(plan, folder, workers=workers, progress=Progress(progress))
    with one_thread():  # beside the workers of the report, whose cores more threads would wait for
        finished = Benchmark.stored(plan, folder)
        report_under_way = _begun(finished, folder, jobs=jobs, progress=progress) if report else None
        content = {
            "inputs": inputs,
            "hpo_bench": importlib.metadata.version("hpo-bench"),
            "seeds": plan.seeds,
            "jobs": workers.jobs,
            "start": plan.start,
            "noisy": plan.noisy,
            "runs": {"total": len(runs), "made": made, "reused": len(runs) - made},
            **summary(finished),
            # Test splits take as long as the landscapes themselves, so they come with the report alone.
            "unseen": None,
            "real": None,
            "goal": "test" if replayed(finished) else "score",
        }
        content["unseen"] = figures(finished, moments(content))
        content = publish(finished, content, folder, report=report_under_way, start=begun)
    return BenchmarkResult(plan, content, finished.runs, made=made, reused=len(runs) - made, page=page)


def _prepared(landscape: Problem) -> Problem:
    """The landscape with what takes time to compute computed."""
    _ = landscape.optimum, landscape.minimum, landscape.regret_sample, landscape.regret_noise, landscape.weaknesses
    return landscape


def _begun(benchmark: Benchmark, folder: ResultsFolder, *, jobs: int, progress: Console) -> "Report":
    """Its report, of which workers make the most while this process summarises."""
    # Matplotlib takes a second to import.
    from hpo_bench.benchmark.page import Report

    progress.print("drawing the report")
    return Report(benchmark, folder, jobs=jobs)


def _inputs(plan: Plan, keys: list[str]) -> str:
    """Content hash of all that tables and figures follow from.

    Args:
        plan: What is run.
        keys: Of its runs, sorted.
    """
    digest = hashlib.sha256("".join(keys).encode())
    for landscape in plan.landscapes:
        digest.update(f"{landscape.card!r} {landscape.outcomes_hash}".encode())
        for path in _recorded(landscape):
            digest.update(f"{path.name} {sha256(path)}".encode())
    for contender in plan.contenders:
        digest.update(f"{contender.identity} {contender.label}".encode())
    for path in sorted(path for pattern in DERIVES for path in HOUSE.glob(pattern) if path.is_file()):
        if path.suffix != ".pyc":
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _recorded(landscape: Problem) -> list[Path]:
    """Every file of a recorded landscape, of the study's box beside a wide one as well.

    Runs follow from the scores of the split that is tuned on. The report looks at all else: at test scores, at what was
    held out, and at what restrictions cost in the study's box.
    """
    if not isinstance(landscape, Landscape) or landscape.folder is None:
        return []
    beside = landscape.folder.with_name(landscape.folder.name.removesuffix(boxes.SUFFIX))
    folders = dict.fromkeys((landscape.folder, beside))
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def _known(folder: ResultsFolder, inputs: str, *, report: bool) -> dict | None:
    """The summary that is there, if it follows from the same inputs and everything it vouches for is as it was."""
    try:
        content = read_json(folder.path / "summary.json")
        if content["inputs"] != inputs or (report and "index.html" not in content["files"]):
            return None
        whole = all(sha256(folder.path / name) == digest for name, digest in content["files"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # It is made from the runs, so it can be made again.
    return content if whole else None
