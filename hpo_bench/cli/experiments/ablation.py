"""`hpo-bench ablation`: which of GP-BO's choices matter, on functions that are not the shipped landscapes."""

import json
from pathlib import Path

import click

from hpo_bench.cli.options import JOBS, JSON, runs_folder, seeds, suites
from hpo_bench.cli.types import NumberRange, Whole
from hpo_bench.display.console import output, progress
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench ablation                                        every choice, all suites; needs coco-experiment
  hpo-bench ablation -s merge-like-2d -s merge-like-3d      synthetic surfaces alone
  hpo-bench ablation -s bbob-2d -a rbf -a matern-3/2        two kernels against the default
  hpo-bench ablation -s merge-like-2d -a rbf --functions 3 --seeds 1    a minute's look
  hpo-bench ablation --speed -s merge-like-2d               GP-BO's time beside BoTorch's loop
"""
# Not those of the benchmark's own suites: what is chosen here is judged there.
SEED = 100


@click.command(epilog=EXAMPLES)
@suites("merge-like-2d, merge-like-3d (synthetic), bbob-2d or bbob-3d; by default all")
@click.option("-a", "--arm", "arms", multiple=True, metavar="NAME", help="A choice; repeatable.  [default: all]")
@click.option("--noise", "noises", multiple=True, type=NumberRange(0.0, 10.0), metavar="SHARE",
    help="Standard deviation of an evaluation as a share of a function's spread; repeatable.  [default: 0 and 0.1]",
)  # fmt: skip
@click.option("--functions", type=Whole(2, 24), help="Functions of each suite.  [default: 24]")
@seeds(2, what="runs of each arm on each function")
@click.option("--suite-seed", type=Whole(0), default=SEED, show_default=True, metavar="N", help="Draws the functions.")
@runs_folder("ablation")
@JOBS
@JSON
@click.option("--speed", is_flag=True, help="Time GP-BO in a group of 100 and alone beside BoTorch's loop instead.")
def command(
    *,
    suites: tuple[str, ...],
    arms: tuple[str, ...],
    noises: tuple[float, ...],
    functions: int | None,
    seeds: int,
    suite_seed: int,
    results: Path,
    jobs: int,
    as_json: bool,
    speed: bool,
) -> None:
    """Which of GP-BO's choices matter, each changed alone, by regret over random on held-out functions.

    Deterministic but for the times. Finished runs are stored at once, so the command may be interrupted at any time,
    and goes on where it stopped. Intervals are 95%, paired over functions; `factor` is the quotient
    of geometric means, `difference` that of arithmetic ones, which the worst functions rule.
    """
    # Imported here so that --help does not wait.
    from hpo_bench.experiments.ablation.variants import chosen
    from landscapes.functions import SUITES, suite
    from landscapes.terms import budget_for

    choices = chosen(arms)
    count = functions or (3 if speed else None)
    held_out = {name: suite(name, suite_seed, count=count) for name in suites or SUITES}
    if speed:
        from hpo_bench.experiments.cost.suggestion import measure, table

        times = {name: measure(own, budget=budget_for(own[0].dim), group=100) for name, own in held_out.items()}
        shown = table(times)
        content = {"timings": {name: [timing.plain() for timing in own] for name, own in times.items()}}
    else:
        from hpo_bench.benchmark.store import ResultsFolder
        from hpo_bench.display.progress import Progress
        from hpo_bench.experiments.ablation.page import table
        from hpo_bench.experiments.ablation.run import conduct
        from hpo_bench.workers import Local

        rows = conduct(
            choices,
            held_out,
            shares=noises or (0.0, 0.1),
            seeds=seeds,
            folder=ResultsFolder(results),
            workers=Local(jobs),
            progress=Progress(progress()),
        )
        shown = table(rows)
        content = {"rows": [row.plain() for row in rows]}
    text = json.dumps({"seed": suite_seed, **content}, indent=1) + "\n"
    if as_json:
        say(text, nl=False)
    else:
        output().print(shown.printed())
