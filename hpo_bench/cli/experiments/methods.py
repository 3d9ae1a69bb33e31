"""`hpo-bench methods`: nine merge methods side by side."""

import json
from pathlib import Path

import click

from hpo_bench.cli.options import JSON, LANDSCAPES_DIR, PAIRS, SAMPLES, THREADS, out
from hpo_bench.display.console import output, progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps
from hpo_bench.files import folder_of

EXAMPLES = """\b
Examples:
  hpo-bench methods                                every nano pair that is here
  hpo-bench methods ja-llama zh-mistral --out my-comparison
  hpo-bench methods path/to/my-pair --json > methods.json
  hpo-bench methods --variants                     WUDI's steps and exact minimum, Fisher by pictures, ...
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[PAIR]...")
@PAIRS
@out("measurements, page and figure; what is there is not measured again", default=folder_of("methods"))
@LANDSCAPES_DIR
@SAMPLES
@click.option("--variants", is_flag=True, help="Also other ways to do what WUDI, NAN, Fisher and RegMean leave open.")
@THREADS
@JSON
def command(
    *,
    names: tuple[str, ...],
    pairs: Path,
    out: Path,
    landscapes_dir: Path | None,
    samples: int,
    variants: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Compare nine merge methods, the VLM as it is, and the expert in its place.

    PAIR is a name or a folder with a pair.yaml; all that are built or shipped by default. TA, DARE and TIES are tuned
    by the study's grid on validation examples, which is recorded where it is missing or of other weights; everybody is
    scored on test examples. Interrupted, the same command goes on where it was.
    """
    from hpo_bench.merging.find import choose

    chosen = choose(names, pairs)

    import torch

    from hpo_bench.experiments.methods.measure import measure_pair
    from hpo_bench.experiments.methods.page import as_dict, contents, notes, source, write_page

    torch.set_num_threads(threads)
    with Steps(progress(), "measuring") as steps:
        results = [
            measure_pair(pair, out, landscapes=landscapes_dir, samples=samples, variants=variants, progress=steps.show)
            for pair in chosen
        ]
    page = write_page(results, out, source=source(results))
    if as_json:
        say(json.dumps(as_dict(results), indent=1, ensure_ascii=False))
        return
    console = output(width=200)
    for title, table in contents(results).items():
        console.print(title, style="bold")
        console.print(table.printed())
    for note in notes(results):
        console.print(note)
    say(f"page: {page}")
