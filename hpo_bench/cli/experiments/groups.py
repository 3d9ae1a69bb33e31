"""`hpo-bench groups`: one weight for all tensors, or one for each group."""

from pathlib import Path
from typing import Any

import click

from hpo_bench.cli.options import COLUMNS, PAIRS, THREADS, out
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps
from hpo_bench.files import folder_of

EXAMPLES = """\b
Examples:
  hpo-bench groups                                every nano pair that is here
  hpo-bench groups ja-llama --out my-comparison   125 merges; minutes
  hpo-bench groups path/to/my-pair --limit 1000   on a thousand of its examples
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[PAIR]...")
@PAIRS
@out("page and answers; what is there is not asked again", default=folder_of("groups"))
@THREADS
@COLUMNS
def command(*, names: tuple[str, ...], pairs: Path, out: Path, threads: int, **named: Any) -> None:
    """See whether expert weights by group of tensors beat one weight for all, at equal cost.

    Task Arithmetic with an expert weight each for attention and the rest, for early and late layers, and for vocabulary
    and layers, beside a finer grid of one weight; each choice is scored on examples that it was not made by.
    Interrupted, the same command goes on where it was.
    """
    from hpo_bench.evaluation.registry import with_columns
    from hpo_bench.merging.find import choose

    chosen = [with_columns(pair, dict(named)) for pair in choose(names, pairs)]

    import torch

    from hpo_bench.experiments.groups.measure import measure_pair
    from hpo_bench.experiments.groups.page import write_page

    torch.set_num_threads(threads)
    with Steps(progress(), "merging") as steps:
        measured = [measure_pair(pair, out, progress=steps.show) for pair in chosen]
    say(f"page: {write_page(measured, out)}")
