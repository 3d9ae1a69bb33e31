"""`hpo-bench tiers`: nano, pretrained and published landscapes side by side."""

import time
from pathlib import Path

import click

from hpo_bench.cli.options import (
    BUDGET,
    JOBS,
    LANDSCAPES_DIR,
    OPTIMIZERS,
    PAGE_FOLDER,
    runs_folder,
    seeds,
)
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench landscapes import naturelm model-merging-NatureLM-audio
  hpo-bench landscapes import code-merges Model_Merging_Data_Mixture
  hpo-bench tiers --landscapes-dir my-landscapes
  hpo-bench tiers                          those that ship alone
"""


@click.command(epilog=EXAMPLES)
@LANDSCAPES_DIR
@OPTIMIZERS
@seeds(10, what="runs of each optimiser on each landscape")
@BUDGET
@runs_folder("tiers")
@PAGE_FOLDER
@JOBS
def command(
    *,
    landscapes_dir: Path | None,
    optimizers: tuple[str, ...],
    seeds: int,
    budget: int | None,
    results: Path,
    out: Path | None,
    jobs: int,
) -> None:
    """Run the optimisers on all landscapes that ship and on those of a folder, and compare the tiers.

    How far the landscapes of each tier can be trusted, what they are like, whether a ranking of optimisers on one tier
    holds on another, and whether the mini-suite stands for all. Interrupted, the same command goes on where it stopped.
    """
    # Imported here so that --help does not wait.
    from hpo_bench.analyses import fidelity
    from hpo_bench.benchmark import pipeline
    from hpo_bench.benchmark.contender import Contender
    from hpo_bench.benchmark.plan import Plan
    from hpo_bench.benchmark.store import ResultsFolder
    from hpo_bench.display.words import counted
    from hpo_bench.experiments.tiers.page import write_page
    from hpo_bench.workers import Local
    from landscapes import catalogue
    from landscapes.suites import boxes
    from optimizers import available

    begin = time.monotonic()
    found = catalogue.load_all(boxes.usual(), root=catalogue.ROOT)
    if landscapes_dir is not None:
        found += catalogue.load_all(root=landscapes_dir)
    contenders = tuple(Contender.find(identity) for identity in dict.fromkeys(optimizers or available()))
    plan = Plan(contenders, tuple(sorted(found, key=lambda one: one.name)), seeds, budget)
    folder = ResultsFolder(results)
    folder.check()
    result = pipeline.execute(plan, folder, workers=Local(jobs), report=False, progress=progress())
    reports = fidelity.check(plan.landscapes, jobs=jobs)  # pyright: ignore[reportArgumentType]
    page = write_page(result, reports, out or results)
    say(f"{counted(result.made, 'run')} made in {time.monotonic() - begin:.0f} s; page: {page}")
