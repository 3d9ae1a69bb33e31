"""`hpo-bench merge`: one merge, written as a Hugging Face folder."""

import time
from pathlib import Path

import click

from hpo_bench.cli.options import DTYPE, MASK_SEED, METHOD, TRUST_REMOTE_CODE, a_pair, device, out
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench merge ja-llama --method ta --vl-weight 0.6 --exp-weight 0.8 --out merged
  hpo-bench merge my-pair.yaml -m ties --vl-weight 1 --exp-weight 0.5 --density 0.4 --out merged
  hpo-bench merge --base base --vlm hf://owner/vlm --expert expert -m dare --vl-weight 0.8 \\
      --exp-weight 0.6 --density 0.5 --stream --out merged
"""


@click.command(epilog=EXAMPLES)
@a_pair
@METHOD
@click.option("--vl-weight", type=float, required=True, help="Coefficient of the VLM's task vector.")
@click.option("--exp-weight", type=float, required=True, help="Coefficient of the expert's task vector.")
@click.option("--density", type=float, help="Share of each task vector that is kept, for dare and ties.")
@MASK_SEED
@out("the model, new or empty", required=True)
@DTYPE
@device("cpu")
@click.option("--stream", is_flag=True, help="Tensor by tensor from disk to disk, for models larger than memory.")
@TRUST_REMOTE_CODE
def command(
    *,
    pair: str | None,
    base: str | None,
    vlm: str | None,
    expert: str | None,
    pairs: Path,
    method: str,
    vl_weight: float,
    exp_weight: float,
    density: float | None,
    mask_seed: int,
    out: Path,
    dtype: str | None,
    device: str | None,
    stream: bool,
    trust_remote_code: bool,
) -> None:
    """Merge PAIR once and write it as a Hugging Face folder.

    PAIR is the name of a pair, a YAML file, or a folder with a pair.yaml; or give --base, --vlm and --expert. Weights,
    processor, tokenizer and generation defaults load with `from_pretrained`; hpo_bench.json says where they come from,
    and mergekit.yaml makes the same language backbone with mergekit. Everything that is not language is the VLM's, bit
    for bit.
    """
    from hpo_bench.errors import UsageError
    from hpo_bench.merging.find import given
    from hpo_bench.merging.setting import MergeSetting

    setting = MergeSetting(method, vl_weight=vl_weight, exp_weight=exp_weight, density=density)
    if stream and (dtype or device):
        raise UsageError("--stream merges in float32 on the CPU; leave out --dtype and --device, or --stream")
    found = given(pair, base=base, vlm=vlm, expert=expert, built=pairs)

    from transformers.utils.logging import disable_progress_bar

    from hpo_bench.merging.loaded import LoadedPair
    from hpo_bench.merging.writing.export import export_merge, stream_merge
    from hpo_bench.merging.writing.folder import check_free

    check_free(out, apart_from=found.folders)
    disable_progress_bar()
    begin = time.monotonic()
    if stream:
        stream_merge(found, setting, out, mask_seed=mask_seed, trust_remote_code=trust_remote_code)
    else:
        loaded = LoadedPair.load(found, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
        export_merge(found, loaded, setting, out, mask_seed=mask_seed, trust_remote_code=trust_remote_code)
    say(f"{out} holds the merged model ({time.monotonic() - begin:.0f} s)")
