"""`hpo-bench pending`: what to make of points that other workers are still evaluating."""

from pathlib import Path

import click

from hpo_bench.cli.options import PAGE_FOLDER, runs_folder
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps

EXAMPLES = """\b
Examples:
  hpo-bench pending              half an hour; interrupt it at any time
  hpo-bench pending --out docs   the page elsewhere
"""


@click.command(epilog=EXAMPLES)
@runs_folder("pending")
@PAGE_FOLDER
def command(*, results: Path, out: Path | None) -> None:
    """Race GP-BO with several workers against the Kriging believer, which was its way with pending points before.

    On functions with noise, and on recorded landscapes. Interrupted, the same command goes on where it stopped.
    """
    # Imported here so that --help does not wait.
    from hpo_bench.experiments.page import save_page
    from hpo_bench.experiments.pending import PAGE, groups, measure, page

    with Steps(progress(), "racing") as steps:
        found = measure(groups(), results, progress=steps.show)
    say(f"page: {save_page((out or results) / PAGE, page(found))}")
