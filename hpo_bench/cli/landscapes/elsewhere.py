"""`hpo-bench landscapes import`: sweeps of merges that others published."""

import shlex
import sys
from pathlib import Path

import click

from hpo_bench.cli.options import out
from hpo_bench.cli.types import Choice
from hpo_bench.display.printing import say
from landscapes.terms import OWN

PUBLISHED = ("code-merges", "naturelm")
EXAMPLES = """\b
Examples:
  git clone https://github.com/gladia-research-group/model-merging-NatureLM-audio
  hpo-bench landscapes import naturelm model-merging-NatureLM-audio
  git clone https://github.com/zmzfpc/Model_Merging_Data_Mixture
  hpo-bench landscapes import code-merges Model_Merging_Data_Mixture
  hpo-bench run -l naturelm-audio
"""


@click.command("import", epilog=EXAMPLES)
@click.argument("publication", type=Choice(PUBLISHED))
@click.argument("checkout", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--replace", is_flag=True, help="Replace a landscape of that name.")
@out("your landscapes; in the default one, every command finds them by name", default=OWN)
def import_published(publication: str, checkout: Path, replace: bool, out: Path) -> None:
    """Make landscapes of sweeps of real merges that others published.

    CHECKOUT is a folder with their repository, which you fetch yourself; nothing in it is run. naturelm: one weight
    between an 8B audio-language model and its language model, eleven sweeps, example by example. code-merges: DARE,
    TIES, DELLA and linear merges of code models of 1.3B to 7B, over density and weight.

    What is wrong with what was published is found, said, and left out. Their cards name the paper, the commit and the
    licence; their tier is elsewhere.
    """
    from landscapes.importing.elsewhere import PUBLICATIONS, import_publication

    source = PUBLICATIONS[publication]
    say(f"reading {checkout}: {source.about}", err=True)
    command = shlex.join(["hpo-bench", *sys.argv[1:]])
    made = import_publication(source, checkout, root=out, replace=replace, command=command)
    for landscape in made.landscapes:
        best = ", ".join(f"{n} {x:.3g}" for n, x in zip(landscape.space.names, landscape.optimum.x, strict=True))
        say(f"{out / landscape.name}: {len(landscape.grid)} settings, best {landscape.optimum.score:.3f} at {best}")
    for defect in made.defects:
        say(f"defect: {defect}")
    say(f"cite: {made.landscapes[0].card.citation} Licence of the numbers: {source.licence}.")
    elsewhere = "" if out == OWN else f" --landscapes-dir {shlex.quote(str(out))}"
    pairs = dict.fromkeys(landscape.card.pair for landscape in made.landscapes)
    say(f"next: hpo-bench run {' '.join(f'-l {pair}' for pair in pairs)}{elsewhere}")
