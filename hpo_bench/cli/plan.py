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
TRIALS = (8, 16, 25, 40, 60, 100)
"""What finds most of what there is to find, twice that, the study's small grid, its two budgets, its large grid."""
METHODS = {"TA": "ta", "DARE, TIES": "ties"}
"""By what they are called a method with as many hyperparameters."""


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
def command(
    *,
    pair: str,
    published: float | None,
    gpu_hours: float | None,
    dollars: float | None,
    price: float,
    workers: int,
    device: str | None,
    threads: int,
    pairs: Path,
    trust_remote_code: bool,
    **named: Any,
) -> None:
    """Forecast hours, memory, disk, dollars and loss of tuning PAIR from one timed trial.

    First the base VLM, the expert swapped in and half-and-half are asked a handful of questions: see that they are put
    and scored as they should be. The loss is how many points below the best merge there is the recommended one is
    expected to score on unseen examples: by too few settings, and by the luck of too few examples. For a budget, or
    else the cost of 40 trials (60 in 3-D) on a fifth of the examples, it says on how many settings and examples that is
    least, which is what `tune` does. Where answers are decoded, each evaluator that is
    here is timed on a handful of examples.
    """
    from hpo_bench.errors import UsageError

    if gpu_hours is not None and dollars is not None:
        raise UsageError("give --gpu-hours or --dollars, not both")

    from hpo_bench.display.console import PlainConsole
    from hpo_bench.display.table import Row, TextTable
    from hpo_bench.display.words import gib
    from hpo_bench.evaluation.reading.columns import Columns
    from hpo_bench.evaluation.registry import with_columns
    from hpo_bench.merging.devices import devices
    from hpo_bench.merging.find import find_pair
    from hpo_bench.tuning.budget import Budget
    from hpo_bench.tuning.config import StudyConfig
    from hpo_bench.tuning.goal import check_examples
    from hpo_bench.tuning.options import RunOptions
    from hpo_bench.tuning.planning.evaluators import generates, recommendation, time_evaluators
    from hpo_bench.tuning.planning.forecast import forecast
    from hpo_bench.tuning.planning.references import ask_references, check_published, compare_published, show_references
    from hpo_bench.tuning.planning.spending import expected_loss
    from hpo_bench.tuning.planning.study_plan import plan_study, sentences
    from hpo_bench.tuning.terminal import clock
    from hpo_bench.tuning.workers.session import PairOpener, PairSession

    Budget(trials=1, hours=gpu_hours, dollars=dollars, price=price)  # refused before a trial is timed
    found = with_columns(find_pair(pair, pairs), Columns.named(**named))
    if published is not None:
        check_published(published)
    check_examples(found)
    place = devices(1, device)[0]
    opener = PairOpener(found, threads=threads, trust_remote_code=trust_remote_code)
    sessions: list[PairSession] = []

    def opened(device: str) -> PairSession:
        sessions.append(opener(device))
        return sessions[0]

    made = forecast(found, opened, place)
    if dollars is not None and not price and not made.dollars:
        raise UsageError("--dollars needs --price, dollars an hour, as nothing else here costs money")
    console = PlainConsole()
    show_references(ask_references(sessions[0].run), console)
    if published is not None:
        far, told = compare_published(sessions[0].run, published)
        console.print(f"{'Warning: ' * far}{told}")
    for line in (
        f"{found.name} on {place}: loading {made.load_seconds:.0f} s, a merge {_seconds(made.merge_seconds)} s, "
        f"an evaluation of {made.validation} examples {_seconds(made.eval_seconds)} s",
        f"memory {gib(made.memory)} a worker, disk {gib(made.model_bytes)} for an exported merge",
    ):
        console.print(line)
    loaded = sessions[0].loaded
    timed = []
    if loaded is not None and generates(found):
        timed = time_evaluators(found, loaded, left_out=console.print)
    console.print(recommendation(found, timed, examples=made.validation))
    losses = [f"loss, {name}" for name in METHODS]
    heads = ("trials", "device-hours", "wall time", *(["dollars"] if price or made.dollars else []), *losses)
    rows = []
    for trials in TRIALS:
        hours = made.hours(trials, made.total, workers=workers)
        spent = made.money(trials, made.total, price=price, workers=workers)
        money = [f"{spent:.2f}"] if price or made.dollars else []
        lost = [f"{expected_loss(trials, made.total, dim=dim):.1f}" for dim in (2, 3)]
        rows.append(Row(str(trials), (f"{hours:.3f}", clock(hours * 3600 / workers), *money, *lost)))
    table = TextTable(heads, tuple(rows), words=0)
    console.print(table.printed(title=f"Each trial on all {made.total:,} examples"))
    options = RunOptions(gpu_hours=gpu_hours, dollars=dollars, price=price)
    for name, method in METHODS.items():
        config = StudyConfig.of(found, methods=method)
        plan = plan_study(config, options, total=made.total, prices=made.prices(price))
        first, second, _ = sentences(plan, config, options, total=made.total, validation=made.validation)
        console.print(f"{name}: {first} {second}")
    console.print("Losses are in points of accuracy, expected from what was measured on nano pairs.")


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
