"""`hpo-bench record`: a landscape from real merges."""

import time
from pathlib import Path
from typing import Any

import click

from hpo_bench.cli.options import COLUMNS, MASK_SEED, METHOD, PAIRS, THREADS, out
from hpo_bench.cli.types import Whole
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps
from hpo_bench.recording.journal import RecordedScores
from landscapes.terms import ELSEWHERE, OWN

SHIPPED = Path("landscapes/recorded")
"""Of a clone of this project, where what ships is recorded."""

EXAMPLES = """\b
Examples:
  hpo-bench record ja-llama --method ta
  hpo-bench record ja-llama --method dare --mask-seed 3 --out my-landscapes
  hpo-bench record path/to/my-pair --method ties
  hpo-bench record ja-llama --method ta --design dense
  hpo-bench record ja-llama --method ta --box wide --out my-landscapes
  hpo-bench record ja-llama --method ta --box wide --design held-out --settings 50 --out my-landscapes
"""


@click.command(epilog=EXAMPLES)
@click.argument("pair")
@METHOD
@click.option(
    "--box",
    default="study",
    show_default=True,
    help="Where: study (coefficients from .2 to 1, a landscape PAIR/METHOD) or wide (over [0, 1.4] as in live tuning, "
    "one of its own, PAIR/METHOD-wide).",
)
@click.option(
    "--design",
    default="grid",
    show_default=True,
    help="Which settings: grid (a landscape, which surrogates are fitted to), or what they are measured by: held-out "
    "(further settings in the box), dense (15 x 15 for ta, over [0, 1.4]) or masks (dare under 10 seeds).",
)
@click.option(
    "--settings",
    type=Whole(min=2),
    metavar="N",
    help="How many settings are held out; a larger number later keeps those that are recorded.  [default: 200]",
)
@PAIRS
@out(
    "the landscape goes to PAIR/METHOD or PAIR/METHOD-wide in it, what it is measured by to a folder in that",
    shown=f"{OWN}, where every command finds it by name; {SHIPPED} for pairs that are built",
)
@MASK_SEED
@THREADS
@COLUMNS
def command(
    *,
    pair: str,
    method: str,
    box: str,
    design: str,
    settings: int | None,
    pairs: Path,
    out: Path | None,
    mask_seed: int,
    threads: int,
    **named: Any,
) -> None:
    """Merge PAIR at every setting of a design, evaluate each merge, and write a landscape or what it is measured by.

    With a grid the VLM is asked as it is, too; of a finished grid that lacks it, that alone.

    PAIR is the name of a built or shipped pair, or a folder with a pair.yaml. Interrupted, the same command continues
    where it was.
    """
    from hpo_bench.evaluation.registry import with_columns
    from hpo_bench.merging.find import find_pair
    from hpo_bench.merging.methods import registry
    from landscapes.catalogue import names

    name = registry.tunable(method).name
    found = with_columns(find_pair(pair, pairs), named)
    begun = (SHIPPED / found.name).exists()
    place = out or (SHIPPED if begun or (found.tier or ELSEWHERE) != ELSEWHERE else OWN)

    import torch

    from hpo_bench.recording.record import record

    torch.set_num_threads(threads)
    begin = time.monotonic()
    with Steps(progress(), f"{found.name}/{name} {design}") as steps:
        folder = record(
            found,
            method,
            place,
            box=box,
            design=design,
            settings=settings,
            mask_seed=mask_seed,
            progress=lambda done, total, entry: steps.show(done, total, _describe(entry)),
            warned=lambda what: say(f"Warning: {what}", err=True),
        )
    say(f"{folder} holds the recording ({time.monotonic() - begin:.0f} s)")
    # With the folder, because one of the same name may ship.
    landscape = "/".join(folder.relative_to(place).parts[:2])
    elsewhere = "" if place == OWN and landscape not in names() else f" --landscapes-dir {place}"
    say(f"next: hpo-bench landscapes check {landscape}{elsewhere}")


def _describe(entry: RecordedScores) -> str:
    where = " ".join(f"{value:g}" for value in entry.parameters.values())
    scores = next(iter(entry.scores.values()))
    return f"{f'at {where}' if where else 'the VLM as it is'}: {sum(scores) / len(scores):.3f}"
