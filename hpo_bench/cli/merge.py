"""`hpo-bench merge`: one merge, written as a Hugging Face folder."""

import inspect
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpo_bench.cli.options import DTYPE, MASK_SEED, METHOD, SAMPLES, TRUST_REMOTE_CODE, device, out
from hpo_bench.cli.pairs import a_pair
from hpo_bench.cli.types import Number, Read
from hpo_bench.display.printing import say

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair

EXAMPLES = """\b
Examples:
  hpo-bench merge ja-llama --method ta --vl-weight 0.6 --exp-weight 0.8 --out merged
  hpo-bench merge my-pair.yaml -m ties --vl-weight 1 --exp-weight 0.5 --density 0.4 --out merged
  hpo-bench merge ja-llama -m wudi --out merged            nothing to choose
  hpo-bench merge ja-llama -m fisher --out merged          calibrated on what the pair says
  hpo-bench merge --base base --vlm hf://owner/vlm --expert expert -m dare --vl-weight 0.8 \\
      --exp-weight 0.6 --density 0.5 --stream --out merged
"""


def _hyperparameter(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    value = float(number)
    if not name or not math.isfinite(value):
        raise ValueError
    return name, value


NAME_AND_VALUE = Read("NAME=VALUE", _hyperparameter, wrong="is no name with a number, such as scale=0.5")


@click.command(epilog=EXAMPLES)
@a_pair
@METHOD
@click.option("--vl-weight", type=Number(), help="Coefficient of the VLM's task vector, for ta, dare and ties.")
@click.option("--exp-weight", type=Number(), help="Coefficient of the expert's task vector, likewise.")
@click.option("--density", type=Number(), help="Share of each task vector that is kept, for dare and ties.")
@click.option(
    "--set", "others", type=NAME_AND_VALUE, multiple=True, metavar="NAME=VALUE",
    help="Another hyperparameter, of a method of your own; repeatable.",
)  # fmt: skip
@SAMPLES
@MASK_SEED
@out("the model, new or empty", required=True)
@DTYPE
@device("cpu")
@click.option("--stream", is_flag=True, help="Tensor by tensor from disk to disk, for models larger than memory.")
@TRUST_REMOTE_CODE
def command(
    *,
    pair: "Pair",
    method: str,
    others: tuple[tuple[str, float], ...],
    out: Path,
    **options: Any,
) -> None:
    """Merge PAIR once and write it as a Hugging Face folder.

    PAIR is the name of a pair, a YAML file, or a folder with a pair.yaml; or give --base, --vlm and --expert. Weights,
    processor, tokenizer and generation defaults load with `from_pretrained`; hpo_bench.json says where they come from,
    and mergekit.yaml makes the same language backbone with mergekit, where mergekit has the method. Everything that is
    not language is the VLM's, bit for bit. METHOD is ta, dare, ties, fisher, regmean, wudi, tsv, metagpt, nan, what an
    installed package offers, or your own as module:Class.
    """
    from hpo_bench import api

    for name, _ in others:
        if name in inspect.signature(api.merge).parameters:
            raise click.UsageError(f"--set is for hyperparameters, and {name} is none; see the other options")
    begin = time.monotonic()
    api.merge(pair, method, out=out, **{**options, **dict(others)})
    say(f"{out} holds the merged model ({time.monotonic() - begin:.0f} s)")
