"""`hpo-bench scale`: whether injection still pays in larger models."""

from pathlib import Path

import click

from hpo_bench.cli.options import PAIRS, THREADS, out
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps
from hpo_bench.files import folder_of

EXAMPLES = """\b
Examples:
  hpo-bench scale                        all rungs that are built
  hpo-bench nano build sums-llama-10m    build one of them
  hpo-bench scale --build                build what is missing first (about an hour on one core)
"""


@click.command(epilog=EXAMPLES)
@PAIRS
@out("page and measurements; what is there of the same weights is not measured again", default=folder_of("scale"))
@click.option("--build", "build_missing", is_flag=True, help="Build the rungs that are missing.")
@THREADS
def command(pairs: Path, out: Path, build_missing: bool, threads: int) -> None:
    """Measure a language and a maths pair at three sizes: what NAN and Task Arithmetic gain over the VLM as it is."""
    import torch

    from hpo_bench.cli.nano import build_shown
    from hpo_bench.errors import UsageError
    from hpo_bench.experiments.page import save_page
    from hpo_bench.experiments.scale import PAGE, climb, page
    from hpo_bench.merging.find import find_pair
    from hpo_bench.nano.recipes import LADDERS, get_recipe

    torch.set_num_threads(threads)
    console = progress()
    found = []
    for name in (name for ladder in LADDERS for name in ladder):
        try:
            found.append(find_pair(name, pairs))
        except UsageError as error:
            if not build_missing:
                console.print(f"left out: {error}")
                continue
            build_shown(get_recipe(name), pairs)
            found.append(find_pair(name, pairs))
    if not found:
        raise UsageError("no rung is built; `hpo-bench scale --build` builds them")
    with Steps(console, "scale") as steps:
        rungs = climb(found, out, progress=lambda done, total, word: steps.show(done, total, word))
    say(save_page(out / PAGE, page(rungs)).read_text(encoding="utf-8"), nl=False)
