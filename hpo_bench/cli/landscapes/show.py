"""`hpo-bench landscapes show`."""

from pathlib import Path

import click

from hpo_bench.cli.options import LANDSCAPES_DIR
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench landscapes show ja-llama/ta                 in the terminal
  hpo-bench landscapes show ja-llama/dare --out map.png
  hpo-bench landscapes show my-sweep/sweep --surrogate gp
"""


@click.command(epilog=EXAMPLES)
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Draw into a PNG or SVG file instead.")
@click.option("--surrogate", metavar="NAME", help="A radial kernel, or gp.  [default: thin_plate_spline]")
@LANDSCAPES_DIR
def show(name: str, out: Path | None, surrogate: str | None, landscapes_dir: Path | None) -> None:
    """Draw a landscape: what was recorded, the surrogate through it, and where the optimum lies.

    A heat map of the first two hyperparameters; slices along the third, if there is one; beyond three a map of every
    two, the others held at the optimum.
    """
    from hpo_bench.display import landscape_map
    from hpo_bench.files import write
    from landscapes import catalogue

    landscape = catalogue.load(name, surrogate=surrogate, root=landscapes_dir)
    if out is None:
        from hpo_bench.display.console import output
        from hpo_bench.display.terminal_map import draw

        output(width=180).print(draw(landscape))
        say(landscape_map.caption(landscape))
        return
    suffix = out.suffix.removeprefix(".").lower()
    if suffix not in ("png", "svg"):
        raise click.BadParameter(f"{out} must end in .png or .svg", param_hint="--out")
    files = landscape_map.encoded(landscape)
    write(out, lambda partial: partial.write_bytes(files[suffix]))
    say(f"{landscape_map.caption(landscape)} Drawn in {out}")
