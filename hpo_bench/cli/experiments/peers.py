"""`hpo-bench peers`: GP-BO against other packages' optimisers, on the same runs."""

from pathlib import Path

import click

from hpo_bench.cli.options import JOBS, PAGE_FOLDER, runs_folder
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench peers                            everything; hours, interrupt it at any time
  hpo-bench peers --stage landscapes -j 4    on the landscapes that ship
  hpo-bench peers --no-run --out docs/peers  the page, from what is stored
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--stage", "names", multiple=True, metavar="NAME",
    help="landscapes (that ship), own (from own starts), functions (BBOB), noise (BBOB); repeatable.  [default: all]",
)  # fmt: skip
@runs_folder("peers")
@PAGE_FOLDER
@JOBS
@click.option("--no-run", is_flag=True, help="Make no runs: the page from what is stored.")
def command(*, names: tuple[str, ...], results: Path, out: Path | None, jobs: int, no_run: bool) -> None:
    """Run GP-BO and the optimisers of other packages with the same starts, and write a page about it.

    Needs the extra `peers`; HEBO gets an environment of its own. Finished runs are stored at once, so the command may
    be interrupted at any time, and goes on where it stopped.
    """
    # Imported here so that --help does not wait.
    from hpo_bench.benchmark.store import ResultsFolder
    from hpo_bench.display.progress import Progress
    from hpo_bench.errors import UsageError
    from hpo_bench.experiments.peers.lineup import STAGES
    from hpo_bench.experiments.peers.page import sentence, write_page
    from hpo_bench.experiments.peers.run import played, run
    from hpo_bench.workers import Local
    from surrogates.spelling import offer

    known = {stage.name: stage for stage in STAGES}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no stage is called {unknown[0]!r}; {offer(unknown[0], known)}")
    rounds = []
    for stage in (known[name] for name in dict.fromkeys(names or known)):
        folder = ResultsFolder(results / stage.name)
        folder.check()
        if no_run and not folder.keys():
            continue
        problems = stage.problems()
        if not no_run:
            run(stage, problems, folder, workers=Local(jobs), progress=Progress(progress()))
        found = played(stage, problems, folder)
        if found.meetings:
            rounds.append(found)
            say(f"{stage.title}: {sentence(found)}\n")
    if not rounds:
        raise UsageError(f"no runs of peers are stored under {results}; leave out --no-run to make them")
    say(f"page: {write_page(rounds, out or results)}")
