"""`hpo-bench ranking`: does the ranking of optimisers survive?"""

import time
from pathlib import Path

import click

from hpo_bench.cli.options import (
    BUDGET,
    JOBS,
    LANDSCAPES,
    LANDSCAPES_DIR,
    OPTIMIZERS,
    PAGE_FOLDER,
    PAIRS,
    runs_folder,
    seeds,
)
from hpo_bench.display.console import print_table, progress
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench ranking                              every kernel, a GP, and noise, on all landscapes
  hpo-bench ranking --real                       and real merges of every pair that is built here
  hpo-bench ranking --real -l 'ja-*' --seeds 3   a taste of it
"""


@click.command(epilog=EXAMPLES)
@LANDSCAPES
@OPTIMIZERS
@click.option("--guise", "kinds", multiple=True, metavar="NAME", help="A kernel, gp or noise.  [default: all of them]")
@click.option("--real", is_flag=True, help="Real merges and evaluations as well, which the others are compared with.")
@seeds(10, what="runs of each optimiser on each guise")
@BUDGET
@runs_folder("ranking")
@PAGE_FOLDER
@PAIRS
@LANDSCAPES_DIR
@JOBS
def command(
    *,
    landscapes: tuple[str, ...],
    optimizers: tuple[str, ...],
    kinds: tuple[str, ...],
    real: bool,
    seeds: int,
    budget: int | None,
    results: Path,
    out: Path | None,
    pairs: Path,
    landscapes_dir: Path | None,
    jobs: int,
) -> None:
    """Run the same optimisers, budgets and seeds on several guises of each landscape, and compare the rankings.

    Guises are the surrogate under each kernel, a Gaussian process, noise (every evaluation on examples drawn anew) and,
    with --real, real merges of the pair. Interrupted at any moment, the same command goes on where it stopped: finished
    groups of runs and every real evaluation are kept.
    """
    # Imported here so that --help does not wait.
    from hpo_bench.benchmark.contender import Contender
    from hpo_bench.display.progress import Progress
    from hpo_bench.display.words import counted
    from hpo_bench.errors import UsageError
    from hpo_bench.experiments.ranking import outcome
    from hpo_bench.experiments.ranking.guises import NOISE, REAL
    from hpo_bench.experiments.ranking.page import write_page
    from hpo_bench.experiments.ranking.run import Ranking
    from hpo_bench.workers import Local
    from landscapes import catalogue
    from landscapes.suites import boxes
    from optimizers import available
    from surrogates import registry
    from surrogates.spelling import offer

    known = (*registry.NAMES, NOISE)
    if unknown := [kind for kind in kinds if kind not in known]:
        raise UsageError(f"no guise is called {unknown[0]!r}; {offer(unknown[0], known)}, and --real")
    found = catalogue.load_all(landscapes or boxes.usual(landscapes_dir), root=landscapes_dir)
    if real:
        found = _built(found, pairs)
    comparison = Ranking.of(
        [Contender.find(identity) for identity in dict.fromkeys(optimizers or available())],
        found, (*(kinds or known), *([REAL] if real else [])), results, seeds=seeds, budget=budget, pairs=pairs,
    )  # fmt: skip
    if (results / "races").exists():
        say(f"{results / 'races'} is of an earlier version: its runs are made anew, and you may delete it", err=True)
    begin = time.monotonic()
    made = comparison.run(workers=Local(jobs), progress=Progress(progress()))
    for point in comparison.points:
        when = "at the end of the budget" if point == "end" else f"after {point} evaluations"
        print_table(outcome.regret_table(comparison, point), title=f"Mean regret over landscapes and seeds, {when}")
    print_table(outcome.table(comparison), title="Does the ranking survive? Kendall’s tau [95% interval]")
    say(outcome.sentence(comparison))
    without = outcome.sound(comparison)
    if without is not None:
        say(f"Without weak landscapes, {len(found) - len(without.landscapes)} of {len(found)}:")
        print_table(outcome.table(without))
        say(outcome.sentence(without))
    page = write_page(comparison, out or results)
    say(f"{made} of {counted(comparison.total, 'run')} made in {time.monotonic() - begin:.0f} s; page: {page}")


def _built(landscapes: list, pairs: Path) -> list:
    """Landscapes whose pairs are built here; the others are named."""
    from hpo_bench.errors import UsageError
    from hpo_bench.merging.find import find_pair

    kept, missing = [], []
    for landscape in landscapes:
        try:
            find_pair(landscape.card.pair, pairs)
            kept.append(landscape)
        except UsageError:
            missing.append(landscape.card.pair)
    if missing:
        say(f"not built under {pairs}, so left out: {', '.join(sorted(set(missing)))}", err=True)
    if not kept:
        raise UsageError(f"no pair of these landscapes is built under {pairs}; run `hpo-bench nano build` first")
    return kept
