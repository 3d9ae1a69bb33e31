"""`hpo-bench landscapes show`."""

from pathlib import Path

import click

from hpo_bench.cli.options import LANDSCAPES_DIR, SURROGATE, landscapes_begun
from hpo_bench.cli.options import out as out_option
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench landscapes show ja-llama/ta                 in the terminal
  hpo-bench landscapes show ja-llama/dare --out maps
  hpo-bench landscapes show my-sweep/sweep --surrogate gp
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", shell_complete=landscapes_begun)
@out_option("the map as PNG and SVG", shown="drawn in the terminal")
@SURROGATE
@LANDSCAPES_DIR
def show(name: str, out: Path | None, surrogate: str | None, landscapes_dir: Path | None) -> None:
    """Draw a landscape: what was recorded, the surrogate through it, and where the optimum lies.

    A heat map of the first two hyperparameters; slices along the third, if there is one; beyond three a map of every
    two, the others held at the optimum.
    """
    from hpo_bench import api
    from hpo_bench.display import landscape_map
    from hpo_bench.files import write

    landscape = api.load_landscape(name, surrogate=surrogate, landscapes_dir=landscapes_dir)
    if out is None:
        from hpo_bench.display.console import output
        from hpo_bench.display.terminal_map import draw

        drawn, caption = draw(landscape), landscape_map.caption(landscape)  # both, as each may find a file damaged
        console = output(width=180)
        console.print(drawn)
        console.print(caption)
        return
    files, caption = landscape_map.encoded(landscape), landscape_map.caption(landscape)
    paths = {kind: out / f"{landscape.name.replace('/', '-')}.{kind}" for kind in files}
    for kind, path in paths.items():
        write(path, files[kind])
    say(f"{caption} Drawn in {' and '.join(map(str, paths.values()))}")
