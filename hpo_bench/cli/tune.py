"""`hpo-bench tune`: the best merge of a pair for a budget."""

import math
from typing import Any

import click

from hpo_bench.cli.options import (
    COLUMNS,
    DOLLARS,
    GPU_HOURS,
    MASK_SEED,
    PAIRS,
    PRICE,
    PUBLISHED,
    RAY_ADDRESS,
    STUDIES,
    THREADS,
    TRUST_REMOTE_CODE,
    WORKERS,
    device,
    examples_each,
    methods,
    optimizers_begun,
)
from hpo_bench.cli.types import Number, NumberRange, Read, Whole
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench tune --demo                                   see it work, in two minutes
  hpo-bench tune path/to/pair.yaml                        Task Arithmetic by GP-BO, as planned
  hpo-bench tune my-pair --trials 16 --examples-each 800  16 settings, each on 800 examples
  hpo-bench tune my-pair -m ta -m dare -m ties            three methods race for one budget
  hpo-bench tune my-pair --dollars 20 --price 2.5         what 20 dollars are spent best on
  hpo-bench tune my-pair --until 0.1                      end where little more is to be gained
  hpo-bench tune my-pair --start nan --start 0.5,0.5      begin with settings that are known
  hpo-bench tune my-pair --keep general                   at most 2 points of general ability lost
  hpo-bench tune my-pair --keep general --front           what every other limit would cost
  hpo-bench tune my-pair --dry-run                        see what is asked and answered, and stop
  hpo-bench tune my-pair --dry-run --published 37.5       and whether the base VLM scores as published
  hpo-bench tune my-pair --image photo --category topic   name columns of its examples
  hpo-bench tune my-pair --workers 4                      four GPUs of this machine
"""
DEMO = "ja-llama"


def _low_and_high(text: str) -> tuple[float, float]:
    low, high = map(float, text.split(","))
    if not -math.inf < low < high < math.inf:
        raise ValueError
    return low, high


def _range(such_as: str) -> Read:
    wrong = f"is no pair of numbers, the first below the second, such as {such_as}"
    return Read("LOW,HIGH", _low_and_high, wrong=wrong)


@click.command(epilog=EXAMPLES)
@click.argument("pair", required=False)
@click.option("--demo", is_flag=True, help="Tune the small pair that ships with hpo-bench.")
@methods("ta; several race for the budget")
@click.option(
    "-o", "--optimizer", metavar="NAME", shell_complete=optimizers_begun,
    help="An optimiser by name, or your own as module:Class.  [default: gp-bo; with --front pareto-bo]",
)  # fmt: skip
@click.option("--trials", type=Whole(min=1), help="At most so many trials.  [default: planned]")
@examples_each(default="planned")
@click.option(
    "--hold-out", is_flag=True,
    help="Tune on a fifth of the examples, score on the others at the end; 40 trials in 2-D, 60 in 3-D.",
)  # fmt: skip
@GPU_HOURS
@DOLLARS
@PRICE
@click.option(
    "--until", type=NumberRange(min=0, min_open=True), metavar="POINTS",
    help="End where the rest of the budget is expected to gain fewer points on unseen examples.",
)  # fmt: skip
@click.option(
    "--coefficients", type=_range("0,1.4"), default=(0.0, 1.4), help="Range of both weights.  [default: 0,1.4]"
)
@click.option("--densities", type=_range("0.1,1"), default=(0.1, 1.0), help="Range of densities.  [default: 0.1,1]")
@click.option("--sum-to-one", is_flag=True, help="Search only where both weights sum to one.")
@click.option(
    "--start", "starts", multiple=True, metavar="START",
    help="Begin there: nan, metagpt (both found from the weights), experience (what was best on recorded landscapes of "
    "other pairs), or a setting as VLM,EXPERT[,DENSITY] or NAME=VALUE,NAME=VALUE; repeatable.",
)  # fmt: skip
@click.option(
    "--from", "origins", multiple=True, metavar="STUDY", help="Begin with the best settings of another study."
)
@click.option(
    "--keep", metavar="CATEGORY",
    help="An ability not to lose: maximise the score on the other examples under a limit on this category's.",
)  # fmt: skip
@click.option(
    "--at-most-below", type=Number(), metavar="POINTS",
    help="How far below the base VLM the kept category's score may fall, in points.  [default: 2]",
)  # fmt: skip
@click.option(
    "--front", is_flag=True,
    help="With --keep, search for the whole Pareto front of both scores; the limit is that of the recommended setting.",
)  # fmt: skip
@click.option("--seed", type=Whole(0), default=0, show_default=True, metavar="N", help="Seed of the optimiser.")
@MASK_SEED
@click.option("--study", metavar="NAME", help="Name of the study.  [default: from pair, methods, optimiser and seed]")
@STUDIES
@click.option(
    "--storage", metavar="URL",
    help="An Optuna storage; also from the environment variable HPO_BENCH_STORAGE, which keeps a password out of sight."
    "  [default: an SQLite file in the study's folder]",
)  # fmt: skip
@WORKERS
@RAY_ADDRESS
@device("the GPUs in turn, else the CPU")
@THREADS
@click.option(
    "--timeout", type=Number(), metavar="S", help="End a trial after so many seconds.  [default: found as it runs]"
)
@click.option(
    "--patience", type=Whole(min=1), default=5, show_default=True, help="Stop after so many failures in a row."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Ask the base VLM, the expert swapped in and half-and-half a handful of questions, and stop.",
)
@PUBLISHED
@COLUMNS
@PAIRS
@TRUST_REMOTE_CODE
def command(
    *,
    pair: str | None,
    demo: bool,
    dry_run: bool,
    published: float | None,
    methods: tuple[str, ...],
    starts: tuple[str, ...],
    origins: tuple[str, ...],
    **options: Any,
) -> None:
    """Find the best merge of PAIR for a budget: merge, evaluate, learn, and merge again.

    PAIR is a pair.yaml, a folder with one, or the name of a built or shipped pair. How many settings are tried, each on
    how many of your examples, is planned from the budget and said before anything is spent; without a budget it is the
    cost of 40 (60 in 3-D) trials on a fifth of the examples. The score of the recommended merge is cross-fitted from
    the trials' answers, and stands beside what there was before. Every trial is stored at once, in an Optuna storage
    that optuna-dashboard can open. Ctrl-C ends after the running trial, a second one at once; the same command goes on,
    whatever ended it. Columns of the examples that options name are called so in place of what pair.yaml says.
    """
    from hpo_bench.errors import UsageError

    if published is not None and not dry_run:
        raise UsageError("--published goes with --dry-run, which scores the base VLM on its own")
    named = DEMO if demo else pair
    if named is None or (demo and pair is not None):
        raise UsageError("name a pair, or say --demo")

    from hpo_bench.tuning import tune
    from hpo_bench.tuning.outcome.baselines import grid_best

    options["methods"] = methods or ("ta",)
    options["starts"] = (*starts, *(f"from:{origin}" for origin in origins))
    if demo:
        options["study"] = options["study"] or "demo"
    if dry_run:
        tune.dry_run(named, published=published, **options)
        say("nothing was tried; the same command without --dry-run begins")
        return
    tune.tune(named, beside=grid_best(DEMO) if demo else None, progress=True, **options)
