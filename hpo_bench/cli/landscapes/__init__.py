"""`hpo-bench landscapes`: what there is to run on, how far it can be trusted, and grids of the user's own."""

import click

from hpo_bench.cli.landscapes.check import check
from hpo_bench.cli.landscapes.elsewhere import import_published
from hpo_bench.cli.landscapes.export import export
from hpo_bench.cli.landscapes.listing import list_landscapes
from hpo_bench.cli.landscapes.own import add, remove
from hpo_bench.cli.landscapes.show import show
from hpo_bench.cli.landscapes.study import study
from hpo_bench.cli.options import Group

EXAMPLES = """\b
Examples:
  hpo-bench landscapes list
  hpo-bench landscapes check ties
  hpo-bench landscapes show ja-llama/dare --out maps
  hpo-bench landscapes study --results results
  hpo-bench landscapes add sweep.csv --space "lr=0..1,density=0.1..1" --metric accuracy
  hpo-bench landscapes import naturelm ../model-merging-NatureLM-audio
  hpo-bench run -l sweep
"""


@click.group(cls=Group, epilog=EXAMPLES)
def command() -> None:
    """See which landscapes there are, how far they can be trusted, and add your own."""


for one in (list_landscapes, check, show, study, add, import_published, export, remove):
    command.add_command(one)
