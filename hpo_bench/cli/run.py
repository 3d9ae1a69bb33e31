"""`hpo-bench run`: every optimiser on every landscape, stored, summarised and reported."""

import time
from pathlib import Path

import click

from hpo_bench.cli.options import JOBS, LANDSCAPES_DIR, Choice
from hpo_bench.display.console import output, progress
from hpo_bench.display.printing import say
from hpo_bench.files import RESULTS

EXAMPLES = """\b
Examples:
  hpo-bench run                                    everything
  hpo-bench run -l ties -o gp-bo -o random         two optimisers on all TIES landscapes
  hpo-bench run -l 'ja-*' --seeds 100              more certainty about the Japanese pairs
  hpo-bench run -o random -o mine:MyOptimizer      your own, from mine.py in this folder
  hpo-bench run --landscapes-dir my-grids          your own recorded grids
  hpo-bench run --peers --suite bbob --noisy       other packages' optimisers, on noisy test functions
  hpo-bench run --backend ray --address auto       on a Ray cluster
"""


@click.command(
    name="run", epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "-l", "--landscape", "patterns", multiple=True, metavar="PATTERN",
    help="Landscapes by name, pair or method, with * and ?; repeatable.  [default: all]",
)  # fmt: skip
@click.option(
    "-o", "--optimizer", "identities", multiple=True, metavar="NAME",
    help="An optimiser by name, or your own as module:Class; repeatable.  [default: all built in]",
)  # fmt: skip
@click.option("--peers", "with_peers", is_flag=True, help="Also the optimisers of other packages (extra `peers`).")
@click.option(
    "--suite", "suites", multiple=True, metavar="NAME",
    help="Test functions in place of landscapes: bbob, merge-like, or either in one dimension (bbob-2d); repeatable.",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Runs of each.")
@click.option(
    "--budget", type=click.IntRange(1, 1000), help="Evaluations of each run.  [default: 40 in 2-D, 60 in 3-D]"
)
@click.option(
    "--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True, metavar="DIR",
    help="Where runs and report lie; runs that are there are not run again.",
)  # fmt: skip
@click.option(
    "--start", type=Choice(["own", "center", "design"]), default="own", show_default=True,
    help="Where runs begin: where each optimiser itself would, at the centre of the box, or all at 4 common points.",
)  # fmt: skip
@click.option("--noisy", is_flag=True, help="Show optimisers scores with the noise of one evaluation.")
@JOBS
@click.option(
    "--backend", type=Choice(["local", "ray"]), default="local", show_default=True, help="Where runs are made."
)
@click.option("--address", metavar="HOST:PORT", help="Of the Ray cluster.  [default: one of this machine's cores]")
@click.option("--surrogate", metavar="NAME", help="A radial kernel, or gp.  [default: thin_plate_spline]")
@LANDSCAPES_DIR
@click.option(
    "--sensitivity", is_flag=True, help="Run everything under every other surrogate, too: what depends on the choice?"
)
@click.option("--no-report", is_flag=True, help="Only runs.parquet and summary.json: no figures and no page.")
def command(
    *,
    patterns: tuple[str, ...],
    identities: tuple[str, ...],
    seeds: int,
    budget: int | None,
    results: Path,
    jobs: int | None,
    surrogate: str | None,
    landscapes_dir: Path | None,
    with_peers: bool,
    suites: tuple[str, ...],
    start: str,
    noisy: bool,
    backend: str,
    address: str | None,
    sensitivity: bool,
    no_report: bool,
) -> None:
    """Run optimisers on recorded landscapes and write the report.

    Every optimiser runs on every landscape with every seed, in groups of up to 64 runs; a group is stored when all of
    it is finished. The command may be interrupted or killed at any time, which costs the groups at work, one a worker,
    and goes on from what is stored. A local worker that is killed costs as much, a worker of a Ray cluster only its own
    group; these are run again at once. The report covers what this command asked for.
    """
    begun = time.monotonic()
    # Imported here so that --help does not wait.
    import joblib

    from hpo_bench.benchmark import pipeline
    from hpo_bench.benchmark.store import ResultsFolder
    from hpo_bench.benchmark.terminal import show
    from hpo_bench.display.words import counted
    from hpo_bench.workers import Local, RayCluster
    from surrogates import registry

    folder = ResultsFolder(results)
    folder.check()
    jobs = jobs or joblib.cpu_count()
    if address and backend == "local":
        raise click.UsageError("--address is a Ray cluster's; add --backend ray")
    plan = pipeline.plan(
        patterns, identities=identities, seeds=seeds, budget=budget, surrogate=surrogate, landscapes_dir=landscapes_dir,
        with_peers=with_peers, suites=suites, start=start, noisy=noisy, sensitivity=sensitivity,
    )  # fmt: skip
    outcome = pipeline.execute(
        plan,
        folder,
        workers=RayCluster(jobs, address) if backend == "ray" else Local(jobs),
        report=not no_report,
        progress=progress(),
        surrogates=registry.NAMES if sensitivity else (),
        start=begun,
    )
    # A pipe has no width of its own, and the table needs about this much.
    show(outcome.summary, output(width=160))
    seconds = time.monotonic() - begun
    say(f"{counted(outcome.made, 'run')} made and {outcome.reused:,} already stored, in {seconds:.1f} s")
    say(f"report: {outcome.page}" if outcome.page else f"figures: {folder.path / 'summary.json'}")
