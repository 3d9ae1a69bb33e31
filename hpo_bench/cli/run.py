"""`hpo-bench run`: every optimiser on every landscape, stored, summarised and reported."""

import time
from pathlib import Path
from typing import Any

import click

from hpo_bench.cli.options import (
    BUDGET,
    JOBS,
    LANDSCAPES,
    LANDSCAPES_DIR,
    OPTIMIZERS,
    RAY_ADDRESS,
    SURROGATE,
    examples_each,
    runs_folder,
    seeds,
    suites,
)
from hpo_bench.cli.types import Choice, Written
from hpo_bench.display.console import output
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench run                                    everything
  hpo-bench run --suite mini                       ten landscapes chosen to stand for all
  hpo-bench run --suite study                      the study's box of every pair and method
  hpo-bench run -l ties -o gp-bo -o random         two optimisers on all TIES landscapes
  hpo-bench run -l 'ja-*' --seeds 100              more certainty about the Japanese pairs
  hpo-bench run -o random -o mine:MyOptimizer      your own, from mine.py in this folder
  hpo-bench run --landscapes-dir my-grids          your own recorded grids
  hpo-bench run --peers --suite bbob --noisy       other packages' optimisers, on noisy test functions
  hpo-bench run --goal test                        what recommendations are worth on unseen examples
  hpo-bench run --goal test --budget 8 --examples-each 800    few settings on many examples
  hpo-bench run --ray-address auto                 on a Ray cluster
"""


@click.command(epilog=EXAMPLES)
@LANDSCAPES
@OPTIMIZERS
@click.option("--peers", is_flag=True, help="Also the optimisers of other packages (extra `peers`).")
@suites(
    "mini, 10 landscapes chosen to stand for all; study, those in the study's box; or functions: bbob, merge-like, or "
    "one dimension (bbob-2d)"
)
@seeds(None, what="runs of each optimiser on each landscape", shown="10, or 5 with --suite mini")
@BUDGET
@runs_folder()
@click.option(
    "--initial", "start", type=Choice(["own", "center", "design", "experience"]), default="own", show_default=True,
    help="Where runs begin: where each optimiser itself would, at the centre of the box, all at 4 common points, or "
    "where landscapes of other pairs were best.",
)  # fmt: skip
@click.option("--noisy", is_flag=True, help="Show optimisers scores with the noise of one evaluation.")
@click.option(
    "--goal", type=Choice(["score", "test"]), default="score", show_default=True,
    help="What counts: regret on the surrogate, or the score of what is recommended on examples that no run sees, by "
    "replaying recorded answers.",
)  # fmt: skip
@examples_each("; with --goal test", default="as many as were tuned on")
@JOBS
@RAY_ADDRESS
@SURROGATE
@LANDSCAPES_DIR
@click.option(
    "--coco", type=Written(folder=True), metavar="DIR", help="New folder to write; the runs as COCO's tools read them."
)
@click.option("--no-report", is_flag=True, help="Only runs.parquet and summary.json: no figures and no page.")
def command(
    *,
    results: Path,
    coco: Path | None,
    no_report: bool,
    **options: Any,
) -> None:
    """Run optimisers on recorded landscapes and write the report.

    Every optimiser runs on every landscape with every seed, in groups of up to 64 runs; a group is stored when all of
    it is finished. The command may be interrupted or killed at any time, which costs the groups at work, one a worker,
    and goes on from what is stored. A local worker that is killed costs as much, a worker of a Ray cluster only its own
    group; these are run again at once. The report covers what this command asked for.
    """
    begun = time.monotonic()
    # Imported here so that --help does not wait.
    from hpo_bench import api
    from hpo_bench.benchmark.coco import check_new
    from hpo_bench.benchmark.terminal import show
    from hpo_bench.display.words import counted

    if coco is not None:
        check_new(coco)
    result = api.run_benchmark(results=results, report=not no_report, **options)
    show(result.summary, output())
    seconds = time.monotonic() - begun
    say(f"{counted(result.made, 'run')} made and {result.reused:,} already stored, in {seconds:.1f} s")
    if coco is not None:
        say(f"for COCO's tools: {', '.join(map(str, sorted(result.to_coco(coco).iterdir())))}")
    say(f"report: {result.page}" if result.page else f"figures: {results / 'summary.json'}")
    old = results / "index.html"
    if old.name not in result.summary["files"] and old.exists():
        say(f"{old} is of an earlier command, whose other runs it shows")
