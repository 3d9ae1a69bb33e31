"""`hpo-bench spending`: few settings on many examples, or many on few."""

from pathlib import Path

import click

from hpo_bench.cli.options import THREADS, out
from hpo_bench.cli.types import Whole
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps
from hpo_bench.files import folder_of

EXAMPLES = """\b
Examples:
  hpo-bench spending                          all plans; half an hour, interrupt it at any time
  hpo-bench spending --draws 1 --out quick    one random half of the examples of each landscape
  hpo-bench spending --sweep answers.parquet  a sweep of your own beside them
  hpo-bench spending --real-loop ja-llama     and the real loop: three minutes a draw and method
"""


@click.command(epilog=EXAMPLES)
@out("page and replays; what is there is not replayed again", default=folder_of("spending"))
@click.option("--draws", type=Whole(min=1), metavar="N", help="Random halves of each landscape's examples.")
@click.option(
    "--sweep", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="Per-example answers along one coefficient: a parquet file with task, prompt, alpha, id and correct.",
)  # fmt: skip
@click.option(
    "--real-loop", "pairs", multiple=True, metavar="PAIR",
    help="Tune a pair in the real loop, by the plan and by the study's protocol; repeatable.",
)  # fmt: skip
@THREADS
def command(*, out: Path, draws: int | None, sweep: Path | None, pairs: tuple[str, ...], threads: int) -> None:
    """Replay plans that spend the same example evaluations, and see what each loses on unseen examples.

    A plan says how many settings are scored on how many examples: GP-BO and the other optimisers with every setting on
    the same examples, grids, successive halving, Hyperband, F-race, UCB-E, HbBoPs, Optuna's Terminator and BoTorch's
    knowledge gradient. Truth is what thousands of examples that the plan never saw say, at hundreds of settings that
    were merged for real.
    """
    import pandas as pd
    import torch

    from hpo_bench.experiments.spending.measure import Measurement
    from hpo_bench.experiments.spending.page import SpendingRows, write_page
    from hpo_bench.merging.find import BUILT, find_pair

    torch.set_num_threads(threads)
    with Steps(progress(), "spending") as steps:
        made = Measurement(out, sweep, draws, [find_pair(pair, BUILT) for pair in pairs], steps.show)
        rows = made.run()
        compared = pd.concat([made.planned(rows), made.untouched()], ignore_index=True)
        measured = SpendingRows(
            rows, compared, made.honest(), made.stopped(), made.begun(), made.really(), made.timed()
        )
    say(f"page: {write_page(measured, folder=out)}")
