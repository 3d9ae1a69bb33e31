"""A merge as a Hugging Face folder, with what is needed to tell where it came from and to make it again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from hpo_bench.merging import mergekit_engine, recipe
from hpo_bench.merging.alignment import Alignment
from hpo_bench.merging.grafting import graft
from hpo_bench.merging.pair import LoadedPair, Pair
from hpo_bench.merging.setting import MergeSetting

PROVENANCE = "hpo_bench.json"


def export_merge(
    pair: Pair,
    loaded: LoadedPair,
    setting: MergeSetting,
    folder: Path,
    provenance: Mapping[str, Any] | None = None,
    *,
    mask_seed: int = 0,
) -> Path:
    """Merge, and write the merged VLM as `from_pretrained` reads it.

    The live VLM holds the merge afterwards. Weights are stored in the dtype in which the VLM stores them, so a merge
    evaluated in float32 is rounded if the VLM is stored in bfloat16; the provenance says so.

    Args:
        pair: Where the models lie.
        loaded: The same in memory.
        setting: Method and hyperparameters.
        folder: Where the model goes; must not exist yet, or be empty.
        provenance: What else to keep in `hpo_bench.json`, such as the study and the score; anything JSON can hold.
        mask_seed: Seed of DARE's masks.

    Returns:
        The folder: weights, configuration, tokenizer, processor, `hpo_bench.json`, and `mergekit.yaml` with the
        commands that make the same language backbone with mergekit.

    Raises:
        UsageError: If the folder is taken.
        MergeError: If the disk is too small or a merged weight is NaN. Nothing is left behind then.
    """
    alignment = Alignment.of(pair, trust_remote_code=pair.trust_remote_code)
    alignment.check()
    loaded.write_language(mergekit_engine.merge(loaded, setting, mask_seed=mask_seed))
    weights = loaded.read_language()
    dtype = next(iter(weights.values())).dtype
    return _write(pair, alignment, weights.__getitem__, setting, folder, provenance, mask_seed=mask_seed, dtype=dtype)


def stream_merge(
    pair: Pair,
    setting: MergeSetting,
    folder: Path,
    provenance: Mapping[str, Any] | None = None,
    *,
    mask_seed: int = 0,
    trust_remote_code: bool = False,
) -> Path:
    """Merge from disk to disk, one tensor after the other, for models that do not fit into memory.

    The same weights as `export_merge` of a pair loaded in float32, with one shard of the VLM in memory and three copies
    of one tensor. Arguments, result and errors as there.
    """
    alignment = Alignment.of(pair, trust_remote_code=trust_remote_code)
    alignment.check()

    def merged(name: str) -> torch.Tensor:
        return merge_alone(alignment, name, setting, mask_seed=mask_seed)

    return _write(pair, alignment, merged, setting, folder, provenance, mask_seed=mask_seed, dtype=torch.float32)


def merge_alone(alignment: Alignment, name: str, setting: MergeSetting, *, mask_seed: int) -> torch.Tensor:
    """Merge one tensor of a pair, by its language model name, in float32."""
    triple = alignment.triple(name)
    one = LoadedPair(
        vlm=None,
        processor=None,
        names={name: name},
        base={name: triple.base.float()},
        tuned={name: triple.vlm.float()},
        expert={name: triple.expert.float()},
    )
    return mergekit_engine.merge(one, setting, mask_seed=mask_seed)[name]


def _write(
    pair: Pair,
    alignment: Alignment,
    language: Callable[[str], torch.Tensor],
    setting: MergeSetting,
    folder: Path,
    provenance: Mapping[str, Any] | None,
    *,
    mask_seed: int,
    dtype: torch.dtype,
) -> Path:
    def texts(_: Path) -> dict[str, str]:
        described = {
            "method": setting.method,
            "parameters": setting.parameters,
            "mask_seed": mask_seed if setting.method == "dare" else None,
            "merge": asdict(pair.merge),
            "merged_in": str(dtype).removeprefix("torch."),
            "stored_in": str(alignment.stored_dtype).removeprefix("torch."),
            "pair": pair.name,
            "sources": {role: str(source) for role, source in pair.sources.items()},
            "checkpoints": pair.file_hashes(),
            "versions": {name: version(name) for name in ("hpo-bench", "torch", "transformers", "safetensors")},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **(provenance or {}),
        }
        return {
            PROVENANCE: json.dumps(described, indent=1, ensure_ascii=False) + "\n",
            recipe.FILE: recipe.text(pair, setting, alignment, mask_seed=mask_seed),
        }

    return graft(alignment, language, folder, texts=texts)
