"""`hpo-bench landscapes study`."""

from pathlib import Path

import click

from hpo_bench.cli.options import JOBS, LANDSCAPES_DIR, PATTERNS, out
from hpo_bench.display.console import print_table, progress
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench landscapes study                                     what grids alone can tell
  hpo-bench landscapes study --results results --out figures     with the runs of `hpo-bench run`
"""


@click.command(epilog=EXAMPLES)
@PATTERNS
@LANDSCAPES_DIR
@click.option(
    "--results", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="Folder of runs; those of `hpo-bench run`, for what follows from them.  [default: none]",
)  # fmt: skip
@out("figures as PNG and SVG", shown="none are drawn")
@JOBS
def study(
    *, patterns: tuple[str, ...], landscapes_dir: Path | None, results: Path | None, out: Path | None, jobs: int
) -> None:
    """The study's analyses of landscapes on ours, beside its own figures.

    What restricting the sum of coefficients costs (its Table 3), where optima lie, how hard landscapes are by domain
    and method (4.2.2), and whether what validation picks holds on test (appendix H); the last two need stored runs.
    """
    from hpo_bench.analyses import fidelity
    from hpo_bench.analyses.section import analyse
    from hpo_bench.benchmark.runs import read_runs
    from hpo_bench.display.figures import encode, provenance
    from hpo_bench.files import OutputFolder
    from landscapes import catalogue
    from landscapes.suites import boxes

    found = catalogue.load_all(patterns or boxes.usual(landscapes_dir), root=landscapes_dir)
    runs = None
    if results is not None:
        runs = read_runs(results / "runs.parquet", found)
    fidelity.announce(found, progress())
    section = analyse(found, runs, jobs=jobs)
    for title, content in section.tables.items():
        if content.rows:
            print_table(content, title=title)
    for sentence in section.sentences:
        say(sentence)
    if out is not None:
        drawn = OutputFolder(out)
        for one in section.figures:
            drawn.keep(one.name, encode(one.figure, provenance(found)))
        say(f"figures: {', '.join(str(path) for path in drawn.files) or 'none, as there is nothing to draw'}")
