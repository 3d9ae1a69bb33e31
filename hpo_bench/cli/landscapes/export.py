"""`hpo-bench landscapes export`: landscapes as problems of other benchmarks."""

import shlex
from pathlib import Path

import click

from hpo_bench.cli.options import LANDSCAPES_DIR, PATTERNS, out
from hpo_bench.cli.types import Choice
from hpo_bench.display.printing import say
from hpo_bench.display.words import counted

EXAMPLES = """\b
Examples:
  hpo-bench landscapes export carps --out tasks         all that ship
  hpo-bench landscapes export carps ties --out tasks    all TIES landscapes
  python -m carps.run --config-dir tasks +task/hpo_bench=ja-llama_ties +optimizer/randomsearch=config
"""


@click.command(epilog=EXAMPLES)
@click.argument("benchmark", type=Choice(["carps"]))
@PATTERNS
@LANDSCAPES_DIR
@out("the tasks", required=True)
def export(benchmark: str, patterns: tuple[str, ...], landscapes_dir: Path | None, out: Path) -> None:
    """Write landscapes as tasks that another benchmark's own command runs.

    carps: configuration files of CARP-S, one a landscape, for the environment in which its package `carps` and this one
    are installed.
    """
    from landscapes import catalogue

    # A name that means nothing is said whether the other package is there or not.
    catalogue.match(patterns, landscapes_dir)
    from landscapes.exporting.carps import write_tasks

    tasks = write_tasks(out, patterns, landscapes_dir=landscapes_dir)
    say(f"{counted(len(tasks), 'task')} in {tasks[0].parent}")
    name = f"+task/{tasks[0].parent.name}={tasks[0].stem}"
    say(f"next: python -m carps.run --config-dir {shlex.quote(str(out))} {name} +optimizer/randomsearch=config")
