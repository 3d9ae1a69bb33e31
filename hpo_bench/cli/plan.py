"""`hpo-bench plan`: what tuning a pair will take, before it is begun."""

from pathlib import Path
from typing import Any

import click

from hpo_bench.cli.options import (
    COLUMNS,
    DOLLARS,
    GPU_HOURS,
    PAIRS,
    PRICE,
    PUBLISHED,
    THREADS,
    TRUST_REMOTE_CODE,
    WORKERS,
    device,
)

EXAMPLES = """\b
Examples:
  hpo-bench plan ja-llama
  hpo-bench plan path/to/pair.yaml --price 2.5 --workers 4
  hpo-bench plan path/to/pair.yaml --published 37.5        the base VLM's score elsewhere, beside ours
  hpo-bench plan path/to/pair.yaml --gpu-hours 8           on how many examples, and how many settings
"""


@click.command(epilog=EXAMPLES)
@click.argument("pair")
@PUBLISHED
@GPU_HOURS
@DOLLARS
@PRICE
@WORKERS
@device()
@THREADS
@COLUMNS
@PAIRS
@TRUST_REMOTE_CODE
def command(*, pair: str, pairs: Path, **options: Any) -> None:
    """Forecast hours, memory, disk, dollars and loss of tuning PAIR from one timed trial.

    First the base VLM, the expert swapped in and half-and-half are asked a handful of questions: see that they are put
    and scored as they should be. The loss is how many points below the best merge there is the recommended one is
    expected to score on unseen examples: by too few settings, and by the luck of too few examples. For a budget, or
    else the cost of 40 trials (60 in 3-D) on a fifth of the examples, it says on how many settings and examples that is
    least, which is what `tune` does. Where answers are decoded, each evaluator that is here is timed on a handful of
    examples.
    """
    from hpo_bench.evaluation.registry import with_columns
    from hpo_bench.merging.find import find_pair
    from hpo_bench.tuning.planning.outlook import plan

    found = with_columns(find_pair(pair, pairs), options)
    plan(found, progress=True, **options)
