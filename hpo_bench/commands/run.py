"""`hpo-bench run`: every optimiser on every landscape, stored, summarised and reported."""

import sys
import time
from pathlib import Path

import click
import joblib
from rich.console import Console

from hpo_bench.results import ResultsFolder

EXAMPLES = """\b
Examples:
  hpo-bench run                                    everything
  hpo-bench run -l ties -o gp-bo -o random         two optimisers on all TIES landscapes
  hpo-bench run -l 'ja-*' --seeds 100              more certainty about the Japanese pairs
  hpo-bench run -o random -o mine:MyOptimizer      your own, from mine.py in this folder
  hpo-bench run --landscapes-dir my-grids          your own recorded grids
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
@click.option("--seeds", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Runs of each.")
@click.option(
    "--budget", type=click.IntRange(1, 1000), help="Evaluations of each run.  [default: 40 in 2-D, 60 in 3-D]"
)
@click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True, metavar="DIR",
    help="Where runs and report lie; runs that are there are not run again.",
)  # fmt: skip
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 1024), metavar="N", help="Worker processes.  [default: one a core]"
)
@click.option("--kernel", metavar="NAME", help="Kernel of the surrogates.  [default: thin_plate_spline]")
@click.option(
    "--landscapes-dir", type=click.Path(path_type=Path), metavar="DIR",
    help="Recorded grids of your own, as PAIR/METHOD/{grid.parquet,card.yaml}.  [default: those shipped]",
)  # fmt: skip
@click.option("--no-report", is_flag=True, help="Only runs.parquet and summary.json: no figures and no page.")
def command(
    *,
    patterns: tuple[str, ...],
    identities: tuple[str, ...],
    seeds: int,
    budget: int | None,
    results: Path,
    jobs: int | None,
    kernel: str | None,
    landscapes_dir: Path | None,
    no_report: bool,
) -> None:
    """Run optimisers on recorded landscapes and write the report.

    Every optimiser runs on every landscape with every seed. Finished runs are stored at once, so the command may be
    interrupted at any time, and goes on where it stopped. The report covers what this command asked for.
    """
    start = time.monotonic()
    # Imported here so that --help does not wait.
    from hpo_bench import pipeline
    from hpo_bench.terminal import show

    folder = ResultsFolder(results)
    folder.check()
    plan = pipeline.plan(
        patterns, identities=identities, seeds=seeds, budget=budget, kernel=kernel, landscapes_dir=landscapes_dir
    )
    outcome = pipeline.execute(
        plan,
        folder,
        jobs=jobs or joblib.cpu_count(),
        report=not no_report,
        progress=Console(stderr=True),
        start=start,
    )
    # A pipe has no width of its own, and the table needs about this much.
    show(outcome.summary, Console(width=None if sys.stdout.isatty() else 160))
    seconds = time.monotonic() - start
    click.echo(f"{outcome.made:,} runs made and {outcome.reused:,} already stored, in {seconds:.1f} s")
    click.echo(f"report: {outcome.page}" if outcome.page else f"figures: {folder.path / 'summary.json'}")
