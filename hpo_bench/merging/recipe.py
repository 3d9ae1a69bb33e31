"""The mergekit configuration that makes the language backbone of a merge, with the commands around it.

mergekit given a VLM and a language model exits 0 and writes a nearly empty model. So the backbone is extracted first,
by `hpo-bench graft extract`, which also lays vocabularies alike; mergekit merges three plain language models; and
`hpo-bench graft onto` puts the result back.
"""

from typing import Any

import yaml

from hpo_bench.merging.alignment import Alignment
from hpo_bench.merging.mergekit_engine import OPTIONS
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import METHODS, MergeSetting
from hpo_bench.merging.source import HubModel

FILE = "mergekit.yaml"


def text(pair: Pair, setting: MergeSetting, alignment: Alignment, *, mask_seed: int) -> str:
    """The configuration, with the commands that use it as comments."""
    options = OPTIONS[setting.method]
    parents = []
    for role, weight in (("vlm", setting.vl_weight), ("expert", setting.exp_weight)):
        parameters: dict[str, Any] = {"weight": weight}
        if setting.density is not None:
            parameters["density"] = setting.density
        parents.append({"model": f"parts/{role}", "parameters": parameters})
    general = {key: value for key, value in options.items() if key in ("normalize", "rescale", "rescale_norm")}
    content = {
        "merge_method": options["mergekit_method"],
        "base_model": "parts/base",
        "models": parents,
        "parameters": general,
        "dtype": "float32",
        "out_dtype": str(alignment.stored_dtype).removeprefix("torch."),
    }
    paths = " ".join(
        f"--{role} {source if isinstance(source, HubModel) else source.name}" for role, source in pair.sources.items()
    )
    seed = f" --random-seed {mask_seed}" if setting.method == "dare" else ""
    lines = [
        f"{METHODS[setting.method]} with mergekit: the language backbone of this merge.",
        f"1. hpo-bench graft extract {paths} --out parts",
        f"2. mergekit-yaml{seed} {FILE} merged",
        f"3. hpo-bench graft onto {paths} --language merged --out {pair.name}-merged",
    ]
    if setting.method == "dare":
        lines.append("mergekit draws DARE's masks anew, from another generator: equal in distribution, not in bits.")
    if left_out := [key for key in ("embeddings", "head", "norms", "biases") if not getattr(pair.merge, key)]:
        lines.append(f"Step 3 keeps the VLM's own {' and '.join(left_out)}, as the pair says.")
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(content, sort_keys=False)
