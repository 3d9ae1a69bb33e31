"""`hpo-bench report`: a study as one page."""

from pathlib import Path

import click

from hpo_bench.cli.options import STUDIES
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench report demo
"""


@click.command(epilog=EXAMPLES)
@click.argument("study")
@STUDIES
def command(*, study: str, studies: Path) -> None:
    """Write a page about STUDY: scores, the way there, the box with its near-optimal settings, before and after."""
    from hpo_bench.tuning.outcome.summary import gone_on, passed_over
    from hpo_bench.tuning.study import Study

    found = Study.open(study, studies)
    if others := passed_over(found.store):
        say(others)
    if (result := found.result) is not None and (more := gone_on(result, found.trials)):
        say(more)
    say(f"report: {found.write_report()}")
