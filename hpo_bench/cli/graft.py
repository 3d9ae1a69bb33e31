"""`hpo-bench graft`: the language backbone out of a VLM, and back in."""

from pathlib import Path

import click

from hpo_bench.cli.options import Group, a_pair, out
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench graft extract ja-llama --out parts
  mergekit-yaml mergekit.yaml merged
  hpo-bench graft onto ja-llama --language merged --out ja-llama-merged
"""


@click.group(cls=Group, epilog=EXAMPLES)
def command() -> None:
    """Take the language backbone out of a VLM for other tools, and put one back.

    mergekit cannot merge a VLM with a language model: it exits 0 and writes a nearly empty model. These two commands
    are what goes before and after it. PAIR is the name of a pair, a YAML file, or a folder with a pair.yaml; or give
    --base, --vlm and --expert.
    """


@command.command(epilog=EXAMPLES)
@a_pair
@out("base, vlm and expert", required=True)
def extract(
    *,
    pair: str | None,
    base: str | None,
    vlm: str | None,
    expert: str | None,
    language_prefixes: tuple[tuple[str, str], ...],
    pairs: Path,
    out: Path,
) -> None:
    """Write base, the VLM's backbone and expert as plain language models with the VLM's vocabulary."""
    from hpo_bench.merging.checkpoints.alignment import Alignment
    from hpo_bench.merging.find import given
    from hpo_bench.merging.writing.folder import check_free
    from hpo_bench.merging.writing.graft import extract as write

    found = given(pair, base=base, vlm=vlm, expert=expert, built=pairs, language_prefixes=dict(language_prefixes))
    check_free(out, apart_from=found.folders)
    alignment = Alignment.of(found)
    alignment.check()
    say(f"{write(alignment, out)} holds base, vlm and expert")


@command.command(epilog=EXAMPLES)
@a_pair
@click.option(
    "--language", type=click.Path(path_type=Path), required=True, help="Language model with the VLM's vocabulary rows."
)
@out("the VLM", required=True)
def onto(
    *,
    pair: str | None,
    base: str | None,
    vlm: str | None,
    expert: str | None,
    language_prefixes: tuple[tuple[str, str], ...],
    pairs: Path,
    language: Path,
    out: Path,
) -> None:
    """Write the VLM with another language backbone; everything else is the VLM's, bit for bit."""
    from hpo_bench.display.words import some
    from hpo_bench.errors import MergeError
    from hpo_bench.merging.checkpoints.alignment import Alignment
    from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
    from hpo_bench.merging.find import given
    from hpo_bench.merging.writing.folder import check_free
    from hpo_bench.merging.writing.graft import graft

    found = given(pair, base=base, vlm=vlm, expert=expert, built=pairs, language_prefixes=dict(language_prefixes))
    check_free(out, apart_from=(*found.folders, language))
    alignment = Alignment.of(found)
    alignment.check()
    merged = Checkpoint.open(language)
    if missing := set(alignment.merged) - set(merged.tensors):
        raise MergeError(f"{language}: lacks language tensors of the VLM: {some(missing)}")
    say(f"{graft(alignment, merged.tensor, out)} holds the VLM with the language of {language}")
