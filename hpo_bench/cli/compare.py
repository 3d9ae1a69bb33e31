"""`hpo-bench compare`: two results folders, and whether anything became worse."""

import json
import sys
from pathlib import Path

import click

from hpo_bench.cli.options import FOLDER, JSON
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench compare results new-results           every optimiser that is in both
  hpo-bench compare results new-results --json    for a program
  hpo-bench compare main branch || echo worse     in CI
"""


@click.command(epilog=EXAMPLES)
@click.argument("before", type=FOLDER)
@click.argument("after", type=FOLDER)
@JSON
def command(*, before: Path, after: Path, as_json: bool) -> None:
    """Compare results folder AFTER with results folder BEFORE, optimiser by optimiser.

    Both are of `hpo-bench run`. What they have in common is compared: the same landscapes with the same budgets, the
    same seeds. An optimiser is worse, or better, where the paired 95% interval over pairs (of one pair alone, over its
    seeds) says so and, with six pairs or more, Wilcoxon's signed-rank test with Holm's adjustment agrees. Exit code 0:
    none is significantly worse; 1: one is; 2: the folders cannot be compared.
    """
    from hpo_bench.benchmark.regression import compare_results
    from hpo_bench.display.console import output

    found = compare_results(before, after)
    if as_json:
        say(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        output().print(found.table().printed())
        for sentence in found.sentences():
            say(sentence)
    sys.exit(1 if found.worse else 0)
