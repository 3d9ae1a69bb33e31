"""The mergekit configuration that makes the language backbone of a merge, with the commands around it.

mergekit given a VLM and a language model exits 0 and writes a nearly empty model. So the backbone is extracted first,
by `hpo-bench graft extract`, which also lays vocabularies alike; mergekit merges three plain language models; and
`hpo-bench graft onto` puts the result back.
"""

import yaml

from hpo_bench.merging.engine import mergekit
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import METHODS, MergeSetting

FILE = "mergekit.yaml"


def text(pair: Pair, setting: MergeSetting, *, merged_in: str, stored_in: str) -> str:
    """The configuration, with the commands that use it as comments.

    Args:
        pair: What is merged.
        setting: Method and hyperparameters.
        merged_in: Dtype of the arithmetic, such as "float32".
        stored_in: Dtype of the result.
    """
    parts = {role: f"parts/{role}" for role in ("base", "vlm", "expert")}
    content = {**mergekit.configuration(setting, **parts, dtype=merged_in), "out_dtype": stored_in}
    # mergekit's model card would ask the hub whether "parts/base" is a model there.
    lines = [
        f"{METHODS[setting.method]} with mergekit: the language backbone of this merge.",
        f"1. hpo-bench graft extract {pair.arguments} --out parts",
        f"2. mergekit-yaml {FILE} merged --no-write-model-card",
        f"3. hpo-bench graft onto {pair.arguments} --language merged --out {pair.name}-merged",
    ]
    if setting.method == "dare":
        lines.append("mergekit draws DARE's masks from another generator: equal in distribution, not in bits.")
    if setting.method == "ties":
        lines.append("Of entries that tie at the threshold mergekit keeps some and this merge all: they alone differ.")
    if left_out := [key for key in ("embeddings", "head", "norms", "biases") if not getattr(pair.merge, key)]:
        lines.append(f"The VLM's own {' and '.join(left_out)} are kept, as the pair says.")
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(content, sort_keys=False)
