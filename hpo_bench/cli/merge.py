"""`hpo-bench merge`: one merge, written as a Hugging Face folder."""

import time
from pathlib import Path

import click

from hpo_bench.cli.options import DTYPE, MASK_SEED, METHOD, SAMPLES, TRUST_REMOTE_CODE, a_pair, device, out
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench merge ja-llama --method ta --vl-weight 0.6 --exp-weight 0.8 --out merged
  hpo-bench merge my-pair.yaml -m ties --vl-weight 1 --exp-weight 0.5 --density 0.4 --out merged
  hpo-bench merge ja-llama -m wudi --out merged            nothing to choose
  hpo-bench merge ja-llama -m fisher --out merged          calibrated on what the pair says
  hpo-bench merge --base base --vlm hf://owner/vlm --expert expert -m dare --vl-weight 0.8 \\
      --exp-weight 0.6 --density 0.5 --stream --out merged
"""


class NameAndValue(click.ParamType):
    """A name and a number, with an equals sign between."""

    name = "NAME=VALUE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """Name and number."""
        if isinstance(value, tuple):
            return value
        name, _, number = str(value).partition("=")
        try:
            return name, float(number)
        except ValueError:
            self.fail(f"{value!r} is no name with a number, such as scale=0.5", param, ctx)


@click.command(epilog=EXAMPLES)
@a_pair
@METHOD
@click.option("--vl-weight", type=float, help="Coefficient of the VLM's task vector, for ta, dare and ties.")
@click.option("--exp-weight", type=float, help="Coefficient of the expert's task vector, likewise.")
@click.option("--density", type=float, help="Share of each task vector that is kept, for dare and ties.")
@click.option(
    "--set", "others", type=NameAndValue(), multiple=True, metavar="NAME=VALUE",
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
    pair: str | None,
    base: str | None,
    vlm: str | None,
    expert: str | None,
    pairs: Path,
    method: str,
    vl_weight: float | None,
    exp_weight: float | None,
    density: float | None,
    others: tuple[tuple[str, float], ...],
    samples: int,
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
    and mergekit.yaml makes the same language backbone with mergekit, where mergekit has the method. Everything that is
    not language is the VLM's, bit for bit. METHOD is ta, dare, ties, fisher, regmean, wudi, tsv, metagpt, nan, what an
    installed package offers, or your own as module:Class.
    """
    from hpo_bench.errors import UsageError
    from hpo_bench.merging.find import given
    from hpo_bench.merging.setting import MergeSetting

    setting = MergeSetting(
        method, **{"vl_weight": vl_weight, "exp_weight": exp_weight, "density": density, **dict(others)}
    )
    if stream and not setting.kind.by_tensor:
        raise UsageError(f"{setting.label} looks at all weights at once; leave out --stream")
    if stream and setting.kind.needs:
        raise UsageError(f"{setting.label} is calibrated on models in memory; leave out --stream")
    if stream and (dtype or device):
        raise UsageError("--stream merges in float32 on the CPU; leave out --dtype and --device, or --stream")
    found = given(pair, base=base, vlm=vlm, expert=expert, built=pairs)

    from transformers.utils.logging import disable_progress_bar

    from hpo_bench.experiments.methods.calibration_sets import calibrated
    from hpo_bench.merging.engine.resident import Resident
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
        engine = Resident(loaded, mask_seed=mask_seed, statistics=calibrated(found, loaded, setting.kind, samples))
        export_merge(found, loaded, setting, out, engine=engine, trust_remote_code=trust_remote_code)
    say(f"{out} holds the merged model ({time.monotonic() - begin:.0f} s)")
