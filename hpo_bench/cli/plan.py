"""`hpo-bench plan`: what tuning a pair will take, before it is begun."""

from pathlib import Path

import click

from hpo_bench.cli.options import PAIRS, PRICE, PUBLISHED, THREADS, TRUST_REMOTE_CODE, WORKERS, device

EXAMPLES = """\b
Examples:
  hpo-bench plan ja-llama
  hpo-bench plan path/to/pair.yaml --price 2.5 --workers 4
  hpo-bench plan path/to/pair.yaml --published 37.5        the base VLM's score elsewhere, beside ours
"""
TRIALS = (25, 40, 60, 100)
"""The study's small grid, its two budgets, and its large grid."""


@click.command(epilog=EXAMPLES)
@click.argument("pair")
@PUBLISHED
@PRICE
@WORKERS
@device()
@THREADS
@PAIRS
@TRUST_REMOTE_CODE
def command(
    *,
    pair: str,
    published: float | None,
    price: float,
    workers: int,
    device: str | None,
    threads: int,
    pairs: Path,
    trust_remote_code: bool,
) -> None:
    """Forecast hours, memory, disk and dollars of tuning PAIR from one timed trial.

    First the base VLM, the expert swapped in and half-and-half are asked a handful of questions: see that they are put
    and scored as they should be.
    """
    from rich import box
    from rich.table import Table

    from hpo_bench.display.console import PlainConsole
    from hpo_bench.display.words import gib
    from hpo_bench.merging.devices import devices
    from hpo_bench.merging.find import find_pair
    from hpo_bench.tuning.forecast import forecast
    from hpo_bench.tuning.goal import check_examples
    from hpo_bench.tuning.references import ask_references, check_published, compare_published, show_references
    from hpo_bench.tuning.terminal import clock
    from hpo_bench.tuning.workers.session import PairOpener, WorkerSession

    found = find_pair(pair, pairs)
    if published is not None:
        check_published(published)
    check_examples(found)
    place = devices(1, device)[0]
    opener = PairOpener(found, threads=threads, trust_remote_code=trust_remote_code)
    sessions = []

    def opened(device: str) -> WorkerSession:
        sessions.append(opener(device))
        return sessions[0]

    made = forecast(found, opened, place)
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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("trials", "device-hours", "wall time", *(["dollars"] if price or made.dollars else [])):
        table.add_column(head, justify="right")
    for trials in TRIALS:
        hours = made.hours(trials, workers=workers)
        money = [f"{made.money(trials, price=price, workers=workers):.2f}"] if price or made.dollars else []
        table.add_row(str(trials), f"{hours:.3f}", clock(hours * 3600 / workers), *money)
    console.print(table)


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
