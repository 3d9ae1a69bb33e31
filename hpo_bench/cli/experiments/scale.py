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
"""


@click.command(epilog=EXAMPLES)
@PAIRS
@out("page and measurements; what is there of the same weights is not measured again", default=folder_of("scale"))
@THREADS
def command(pairs: Path, out: Path, threads: int) -> None:
    """Measure a language and a maths pair at three sizes: what NAN and Task Arithmetic gain over the VLM as it is."""
    import torch

    from hpo_bench.errors import UsageError
    from hpo_bench.experiments.page import save_page
    from hpo_bench.experiments.scale import PAGE, climb, page
    from hpo_bench.merging.find import find_pair
    from hpo_bench.nano.recipes import LADDERS

    torch.set_num_threads(threads)
    console = progress()
    found = []
    for name in (name for ladder in LADDERS for name in ladder):
        try:
            found.append(find_pair(name, pairs))
        except UsageError as error:
            console.print(f"left out: {error}")
    if not found:
        raise UsageError(f"no rung is built; `hpo-bench nano build {LADDERS[0][1]}` builds the first")
    with Steps(console, "scale") as steps:
        rungs = climb(found, out, progress=steps.show)
    say(save_page(out / PAGE, page(rungs)).read_text(encoding="utf-8"), nl=False)
