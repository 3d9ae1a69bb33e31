"""`hpo-bench landscapes check`."""

import json
import sys
from pathlib import Path

import click

from hpo_bench.cli.options import JOBS, JSON, LANDSCAPES_DIR, PATTERNS
from hpo_bench.display.console import print_table, progress
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench landscapes check                  every landscape that ships
  hpo-bench landscapes check ja-llama/ta --json
  hpo-bench landscapes check my-sweep || echo weak
"""


@click.command(epilog=EXAMPLES)
@PATTERNS
@LANDSCAPES_DIR
@JSON
@JOBS
def check(patterns: tuple[str, ...], landscapes_dir: Path | None, as_json: bool, jobs: int) -> None:
    """Measure how far landscapes can be trusted, and say which are weak.

    Errors are in % of the range of recorded scores. A figure is "–" where nothing was recorded to measure it by; what
    is not measured cannot acquit. Maxima are those whose surroundings are surely lower, given the noise of the
    examples, of all recorded ones. Exit code 0: no landscape is weak; 1: some are; 2: one cannot be read.
    """
    from hpo_bench.analyses import fidelity
    from landscapes import catalogue
    from landscapes.trust import MARK, RULE

    found = catalogue.load_all(patterns, root=landscapes_dir)
    fidelity.announce(found, progress())
    reports = fidelity.check(found, jobs=jobs)
    weak = [report for report in reports if report.weaknesses]
    if as_json:
        say(json.dumps([report.as_json() for report in reports], indent=2, ensure_ascii=False))
    else:
        print_table(fidelity.table(reports))
        if len({report.tier for report in reports}) > 1:
            print_table(fidelity.by_tier(reports), title="By tier: medians (least to greatest)")
            say(f"{fidelity.SHAPES}.")
        for report in weak:
            say(f"{report.name}{MARK}: {'; '.join(report.weaknesses)}")
        for note in fidelity.notes(reports):
            say(note)
        say(f"{len(weak)} of {len(reports)} {RULE}")
    sys.exit(1 if weak else 0)
