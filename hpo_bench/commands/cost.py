"""`hpo-bench cost`: what tuning costs, and what it saves."""

import sys
from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  hpo-bench cost grid                             every nano pair that is here: full grid against tuning
  hpo-bench cost grid ja-llama -m ta --seeds 3
"""
METHODS = ("ta", "dare", "ties")


@click.group(epilog=EXAMPLES)
def command() -> None:
    """See what tuning costs, and what it saves."""


@command.command()
@click.argument("names", nargs=-1, metavar="[PAIR]...")
@click.option(
    "-m", "--method", "methods", multiple=True, type=click.Choice(METHODS), help="Merge method.  [default: all three]"
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Studies a pair and method.")
@click.option("--grid-box", is_flag=True, help="Tune in the grid's box, instead of tune's own, larger one.")
@click.option(
    "--pairs", type=click.Path(path_type=Path), default=Path("nano"), show_default=True, metavar="DIR",
    help="Folder where `hpo-bench nano build` put its pairs.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results/cost"), show_default=True, metavar="DIR",
    help="Where page, figure, table and studies lie; a study that is finished is not made again.",
)  # fmt: skip
@click.option(
    "--studies", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the studies.  [default: OUT/studies]"
)
def grid(
    *,
    names: tuple[str, ...],
    methods: tuple[str, ...],
    seeds: int,
    grid_box: bool,
    pairs: Path,
    out: Path,
    studies: Path | None,
) -> None:
    """Compare the best of the recorded full grid with what tuning finds, by test score, merges and seconds.

    PAIR is the name of a nano pair; all that are built or shipped by default. Interrupted, the same command goes on
    where it was.
    """
    import torch
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from hpo_bench.live import against_grid_page as page
    from hpo_bench.live.against_grid import Comparison, Plan, compare
    from hpo_bench.methods_table.chosen import choose

    # The optimiser's models are small: more threads than one only get in the worker's way.
    torch.set_num_threads(1)
    plan = Plan(
        pairs=choose(names, pairs),
        methods=methods or METHODS,
        seeds=seeds,
        grid_box=grid_box,
        studies=studies or out / "studies",
        built=pairs,
        command=("hpo-bench", *sys.argv[1:]),
    )

    def told(one: Comparison) -> None:
        low, high = (100 * end for end in one.interval)
        click.echo(
            f"{one.pair}, {one.method}: {one.merges:.0f} tuned merges {100 * one.test:.1f}, best of {one.grid_merges} "
            f"on the grid {100 * one.grid_test:.1f}, difference {100 * one.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
        )

    found = compare(plan, Console(quiet=True), told)
    if found is None:
        click.echo("interrupted; the same command goes on where it stopped", err=True)
        sys.exit(130)
    # A pipe has no width of its own, and the tables need about this much.
    console = Console(width=None if sys.stdout.isatty() else 160)
    for title, content in (("By pair", page.by_pair(found)), ("By method", page.by_method(found))):
        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
        for place, head in enumerate(content.columns):
            shown.add_column(head, justify="right" if place else "left", no_wrap=not place)
        for row in content.rows:
            shown.add_row(row.head, *row.cells)
        console.print(shown)
    for note in page.notes(found, plan):
        console.print(note, highlight=False, soft_wrap=True)
    click.echo(f"page: {page.write_page(found, plan, out)}")
