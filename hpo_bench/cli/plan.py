"""`hpo-bench plan`: what tuning a pair will take, before it is begun."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from hpo_bench.tuning.planning.forecast import Forecast

EXAMPLES = """\b
Examples:
  hpo-bench plan ja-llama
  hpo-bench plan path/to/pair.yaml --price 2.5 --workers 4
  hpo-bench plan path/to/pair.yaml --published 37.5        the base VLM's score elsewhere, beside ours
  hpo-bench plan path/to/pair.yaml --gpu-hours 8           on how many examples, and how many settings
"""
TRIALS = (8, 16, 25, 40, 60, 100)
"""What finds most of what there is to find, twice that, the study's small grid, its two budgets, its large grid."""
METHODS = {2: "TA", 3: "DARE, TIES"}
"""By number of hyperparameters."""
STUDY_TRIALS = 40


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
    else the cost of 40 trials, it says on how many settings and examples that is least. Where answers are decoded,
    each evaluator that is here is timed on a handful of examples.
    """
    from hpo_bench.errors import UsageError

    if gpu_hours is not None and dollars is not None:
        raise UsageError("give --gpu-hours or --dollars, not both")

    from rich import box
    from rich.table import Table

    from hpo_bench.display.console import PlainConsole
    from hpo_bench.display.words import gib
    from hpo_bench.evaluation.reading.columns import Columns
    from hpo_bench.evaluation.registry import with_columns
    from hpo_bench.merging.devices import devices
    from hpo_bench.merging.find import find_pair
    from hpo_bench.tuning.goal import check_examples
    from hpo_bench.tuning.planning.evaluators import generates, recommendation, time_evaluators
    from hpo_bench.tuning.planning.forecast import forecast
    from hpo_bench.tuning.planning.references import ask_references, check_published, compare_published, show_references
    from hpo_bench.tuning.planning.spending import expected_loss
    from hpo_bench.tuning.terminal import clock
    from hpo_bench.tuning.workers.session import PairOpener, PairSession

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
        console.print(f"{'Warning: ' * far}{told}", highlight=False, soft_wrap=True)
    for line in (
        f"{found.name} on {place}: loading {made.load_seconds:.0f} s, a merge {_seconds(made.merge_seconds)} s, "
        f"an evaluation of {made.validation} examples {_seconds(made.eval_seconds)} s",
        f"memory {gib(made.memory)} a worker, disk {gib(made.model_bytes)} for an exported merge",
        f"the result on {made.test} test examples takes {clock(made.result_seconds)}",
    ):
        console.print(line, highlight=False, soft_wrap=True)
    loaded = sessions[0].loaded
    timed = time_evaluators(found, loaded) if loaded is not None and generates(found) else []
    console.print(recommendation(found, timed, examples=made.validation), highlight=False, soft_wrap=True)
    losses = [f"loss, {name}" for name in METHODS.values()]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("trials", "device-hours", "wall time", *(["dollars"] if price or made.dollars else []), *losses):
        table.add_column(head, justify="right")
    for trials in TRIALS:
        hours = made.hours(trials, workers=workers)
        money = [f"{made.money(trials, price=price, workers=workers):.2f}"] if price or made.dollars else []
        lost = [f"{expected_loss(trials, made.validation, dim=dim):.1f}" for dim in METHODS]
        table.add_row(str(trials), f"{hours:.3f}", clock(hours * 3600 / workers), *money, *lost)
    console.print(table)
    for line in _advice(made, gpu_hours, dollars, price):
        console.print(line, highlight=False, soft_wrap=True)


def _advice(made: "Forecast", hours: float | None, dollars: float | None, price: float) -> list[str]:
    """How the money would be spent best."""
    from hpo_bench.tuning.planning.spending import expected_loss, told_apart

    few = made.validation
    words = [
        f"the {few} validation examples do not tell two good settings apart whose scores differ by less than "
        f"{told_apart(few):.1f} points; losses are in points, expected from what was measured on nano pairs"
    ]
    named = hours is not None or dollars is not None
    hours = hours if named else STUDY_TRIALS * made.trial_seconds / 3600
    budget = "this budget" if named else f"the cost of {STUDY_TRIALS} trials"
    for dim, name in METHODS.items():
        best = made.spending(dim=dim, hours=hours, dollars=dollars, price=price)
        words.append(
            f"{name}: {budget} is spent best on {best.settings} settings and {best.examples} examples, loss "
            f"{best.expected_loss:.1f}"
            + ("" if named else f" instead of {expected_loss(STUDY_TRIALS, few, dim=dim):.1f}")
        )
    words.append("a trial of tune answers the validation examples, a fifth of all: more of them help more than trials")
    return words


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
