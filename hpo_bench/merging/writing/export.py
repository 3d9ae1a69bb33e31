"""A merge as a Hugging Face folder, with what is needed to tell where it came from and to make it again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.plausibility import check_base
from hpo_bench.merging.engine.mergekit import FILE, text
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.folder import check_free
from hpo_bench.merging.writing.graft import write_grafted

PROVENANCE = "hpo_bench.json"

Further = Callable[[Path, Mapping[str, Any]], Mapping[str, str]]
"""Makes texts by file name, of the folder of a finished model and its provenance."""


def export_merge(
    pair: Pair,
    loaded: LoadedPair,
    setting: MergeSetting,
    folder: Path,
    provenance: Mapping[str, Any] | None = None,
    *,
    mask_seed: int = 0,
    engine: Resident | None = None,
    further: Further = lambda *_: {},
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
        engine: What merges the loaded pair, with a mask seed of its own; by default a new one in mergekit's arithmetic.
        further: Makes what else belongs into the folder, texts by file name, of a folder that loads as the finished one
            will and of what `hpo_bench.json` says; only after it has the folder its name.

    Returns:
        The folder: weights, configuration, tokenizer, processor, `hpo_bench.json`; and if the engine's arithmetic is
        mergekit's and mergekit has the method, `mergekit.yaml` with the commands that make the same language backbone
        with it.

    Raises:
        UsageError: If the folder is taken or cannot be made.
        MergeError: If the disk is too small or a merged weight is NaN. Nothing is left behind then.
    """
    check_free(folder, apart_from=pair.folders)
    if (alignment := loaded.alignment) is None:
        raise MergeError("models that were not loaded from a pair's folders cannot be written; use LoadedPair.load")
    engine = engine or Resident(loaded, mask_seed=mask_seed)
    fingerprint = engine.merge(setting)
    weights = loaded.read_language()
    how = {
        "mode": engine.mode,
        "masks": _masks(setting, engine.masks, engine.mask_seed),
        "merged_in": _name(next(iter(weights.values())).dtype),
        "fingerprint": fingerprint,
    }
    return _write(pair, alignment, weights.__getitem__, setting, folder, how, provenance, further)


def stream_merge(
    pair: Pair, setting: MergeSetting, folder: Path, *, mask_seed: int = 0, trust_remote_code: bool = False
) -> Path:
    """Merge from disk to disk, one tensor after the other, for models that do not fit into memory.

    The same weights as `export_merge` of a pair loaded in float32, with one shard of the VLM in memory and three copies
    of one tensor. Arguments, result and errors are as there.

    Raises:
        UsageError: Also if the method looks at all weights at once, or is calibrated: given one tensor it would merge,
            to something else.
    """
    if not setting.kind.by_tensor:
        raise UsageError(f"{setting.label} looks at all weights at once; leave out the stream")
    if setting.kind.needs:
        raise UsageError(f"{setting.label} is calibrated on models in memory; leave out the stream")
    check_free(folder, apart_from=pair.folders)
    alignment = Alignment.of(pair, trust_remote_code=trust_remote_code)
    alignment.check()
    check_base(alignment)

    def merged(name: str) -> torch.Tensor:
        return merge_alone(alignment, name, setting, mask_seed=mask_seed)

    how = {"mode": "mergekit", "masks": _masks(setting, "counter", mask_seed), "merged_in": "float32"}
    return _write(pair, alignment, merged, setting, folder, how)


def merge_alone(alignment: Alignment, name: str, setting: MergeSetting, *, mask_seed: int) -> torch.Tensor:
    """Merge one tensor of a pair, by its language model name, in float32."""
    triple = alignment.triple(name)
    one = LoadedPair.of_weights(*({name: tensor.float()} for tensor in (triple.base, triple.vlm, triple.expert)))
    Resident(one, mask_seed=mask_seed).merge(setting)
    return one.read_language()[name]


def _write(
    pair: Pair,
    alignment: Alignment,
    language: Callable[[str], torch.Tensor],
    setting: MergeSetting,
    folder: Path,
    how: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    further: Further = lambda *_: {},
) -> Path:
    def texts(scratch: Path) -> dict[str, str]:
        described = {
            "method": setting.method,
            "parameters": setting.parameters,
            **how,
            "stored_in": _name(alignment.stored_dtype),
            "scope": asdict(pair.merge),
            "pair": pair.name,
            "sources": pair.described_sources(),
            "checkpoints": pair.file_hashes(),
            "versions": {name: version(name) for name in ("hpo-bench", "torch", "transformers", "safetensors")},
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **(provenance or {}),
        }
        written = {PROVENANCE: json.dumps(described, indent=1, ensure_ascii=False) + "\n"}
        if how["mode"] == "mergekit" and setting.kind.mergekit:
            stored = _name(alignment.stored_dtype)
            written[FILE] = text(pair, setting, merged_in=how["merged_in"], stored_in=stored)
        return {**written, **further(scratch, described)}

    return write_grafted(alignment, language, folder, texts=texts)


def _masks(setting: MergeSetting, kind: str, seed: int) -> dict[str, Any] | None:
    """Which masks a merge was made with; None of a method that draws none."""
    if not setting.kind.draws_masks:
        return None
    return {"kind": kind if setting.kind.mergekit else "the method's own", "seed": seed}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
