"""The headline tables in the terminal."""

from textwrap import fill

from rich import box
from rich.console import Console
from rich.table import Table

from hpo_bench.benchmark.tables import (
    above_noise,
    comparison_sentence,
    comparisons,
    headline,
    noise_sentence,
    overall,
    sound,
    sound_sentence,
    when,
)
from hpo_bench.display.table import TextTable


def show(content: dict, console: Console) -> None:
    """Print regret-over-random by optimiser.

    Args:
        content: What `summary.summary` made.
        console: Where to.
    """
    total = len(content["landscapes"])
    on = "1 landscape" if total == 1 else f"all {total} landscapes"
    seen = "the optimisers see noise" if content["noisy"] else "without noise"
    _print(
        headline(content),
        f"Regret over random [95% interval] on {on}, {seen}; lower is better, 1 is uniform random search",
        console,
    )
    console.print(noise_sentence(content), highlight=False, soft_wrap=True)
    if counted := above_noise(content):
        console.print()
        _print(counted, "On the other landscapes alone", console)
    if words := sound_sentence(content):
        console.print(words, highlight=False, soft_wrap=True)
    if firm := sound(content):
        _print(firm, "Without weak landscapes", console)
    if words := comparison_sentence(content):
        console.print()
        console.print(words, highlight=False, soft_wrap=True)
    if (against := comparisons(content)) and len(against.rows) > 1:
        title = f"Advantage: the other's mean regret minus its own, over Random's ({when(overall(content))})"
        _print(against, title, console)


def _print(content: TextTable, title: str, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for place, head in enumerate(content.columns):
        table.add_column(fill(head, 13), justify="right" if place else "left", no_wrap=not place)
    for row in content.rows:
        if row.faint:
            table.add_section()
        table.add_row(row.head, *row.cells, style="dim" if row.faint else None)
    console.print(table)
