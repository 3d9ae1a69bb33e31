"""`hpo-bench graft`: the language backbone out of a VLM, and back in."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo_bench.cli.options import TRUST_REMOTE_CODE, Group, out
from hpo_bench.cli.pairs import a_pair, a_vlm
from hpo_bench.display.printing import say

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair

EXAMPLES = """\b
Examples:
  hpo-bench graft extract ja-llama --out parts
  mergekit-yaml mergekit.yaml merged
  hpo-bench graft onto ja-llama --language merged --out ja-llama-merged
  hpo-bench graft onto --vlm hf://Qwen/Qwen3.5-4B --language my-text-finetune --out my-vlm
"""


@click.group(cls=Group, epilog=EXAMPLES)
def command() -> None:
    """Take the language backbone out of a VLM for other tools, and put one back.

    mergekit cannot merge a VLM with a language model: it exits 0 and writes a nearly empty model. These two commands
    are what goes before and after it; and `onto` by itself puts a text fine-tune of a VLM back into it. PAIR is the
    name of a pair, a YAML file, or a folder with a pair.yaml; or give --base, --vlm and --expert.
    """


@command.command(epilog=EXAMPLES)
@a_pair
@out("base, vlm and expert", required=True)
@TRUST_REMOTE_CODE
def extract(*, pair: "Pair", out: Path, trust_remote_code: bool) -> None:
    """Write base, the VLM's backbone and expert as plain language models with the VLM's vocabulary."""
    from hpo_bench.merging.checkpoints.alignment import Alignment
    from hpo_bench.merging.writing.folder import check_free
    from hpo_bench.merging.writing.graft import extract as write

    check_free(out, apart_from=pair.folders)
    alignment = Alignment.of(pair, trust_remote_code=trust_remote_code)
    alignment.check()
    say(f"{write(alignment, out)} holds base, vlm and expert")


@command.command(epilog=EXAMPLES)
@a_vlm
@click.option(
    "--language", required=True, metavar="PLACE", help="Language model to put in: a folder, or hf://owner/name."
)
@out("the VLM", required=True)
@TRUST_REMOTE_CODE
def onto(*, pair: "Pair", language: str, out: Path, trust_remote_code: bool) -> None:
    """Write a VLM with other language weights, such as a text fine-tune of its own; all else is the VLM's, bit for bit.

    The VLM is PAIR's or --vlm. The language model may come in any layout that transformers reads: as a language model,
    or under the VLM's own names. Rows are matched by token; processor, chat template and generation defaults are the
    VLM's.
    """
    from hpo_bench.merging.source import parse_source
    from hpo_bench.merging.writing.put_back import put_back

    place = parse_source(language, Path.cwd(), confined=False, where="--language")
    distance = put_back(pair, place, out, trust_remote_code=trust_remote_code)
    say(f"{out} holds the VLM with the language of {language}, {distance:.1%} from its own")
