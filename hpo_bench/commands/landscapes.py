"""`hpo-bench landscapes`: what there is to run on, and how far it can be trusted."""

from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from hpo_bench.report.heatmaps import encoded, title
from hpo_bench.results import write
from landscapes import catalogue

EXAMPLES = """\b
Examples:
  hpo-bench landscapes list
  hpo-bench landscapes list ties
  hpo-bench landscapes show ja-llama/dare --out map.png
"""
FROM = click.option(
    "--landscapes-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Recorded grids of your own, as PAIR/METHOD/{grid.parquet,card.yaml}.  [default: those shipped]",
)


@click.group(epilog=EXAMPLES)
def command() -> None:
    """See which landscapes there are, and what they look like."""


@command.command("list", epilog=EXAMPLES)
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@FROM
def list_landscapes(patterns: tuple[str, ...], landscapes_dir: Path | None) -> None:
    """List landscapes with their optimum, noise and fidelity.

    PATTERN is a name, a pair or a method, with * and ?. Noise is the standard error of one evaluation near the
    optimum; LOOCV is the surrogate's leave-one-out error, by the study's protocol and exactly, over all points. Both in
    % of the range of recorded scores.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("landscape", no_wrap=True)
    for head in ("domain", "benchmark"):
        table.add_column(head)
    for head in ("settings", "maximum", "minimum", "noise %", "LOOCV %, study", "LOOCV %, exact"):
        table.add_column(head, justify="right")
    for landscape in catalogue.load_all(patterns, root=landscapes_dir):
        trust = landscape.fidelity()
        table.add_row(
            landscape.name + (" (SYNTHETIC)" if landscape.card.synthetic else ""),
            landscape.card.domain,
            landscape.card.benchmark,
            str(len(landscape.grid)),
            f"{landscape.optimum.score:.3f}",
            f"{landscape.minimum.score:.3f}",
            *(
                "-" if np.isnan(value) else f"{value:.1f}"
                for value in (trust.noise_percent, trust.study_loocv, trust.exact_loocv)
            ),
        )
    console = Console()
    # A pipe has no width of its own, and the table needs about this much.
    (console if console.is_terminal else Console(width=160)).print(table)


@command.command(epilog=EXAMPLES)
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="PNG or SVG file.  [default: NAME.png]")
@FROM
def show(name: str, out: Path | None, landscapes_dir: Path | None) -> None:
    """Draw a landscape: what was recorded, the surrogate through it, and where the optimum lies."""
    landscape = catalogue.load(name, root=landscapes_dir)
    path = out or Path(landscape.name.replace("/", "_") + ".png")
    files = encoded(landscape)
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in files:
        raise click.BadParameter(f"{path} must end in .png or .svg", param_hint="--out")
    write(path, lambda partial: partial.write_bytes(files[suffix]))
    best = ", ".join(f"{n} {v:.2f}" for n, v in zip(landscape.space.names, landscape.optimum.x, strict=True))
    click.echo(f"{title(landscape)}: maximum {landscape.optimum.score:.3f} at {best}; drawn in {path}")
