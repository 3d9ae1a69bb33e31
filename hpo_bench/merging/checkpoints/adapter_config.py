"""What an adapter says of itself, where that is no LoRA which can be merged, or one of another base."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.source import ADAPTER

_TEXT_CLASS = "ForCausalLM"
# What changes more than weights, or weights by more than a product of two matrices.
_OTHERS = {
    "use_dora": "DoRA, which scales columns as well",
    "use_qalora": "QA-LoRA, which is for quantised weights",
    "use_bdlora": "a block-diagonal LoRA",
    "target_parameters": "a LoRA of fused parameters",
    "trainable_token_indices": "a LoRA with trained tokens",
    "layer_replication": "a LoRA of repeated layers",
    "alora_invocation_tokens": "an activated LoRA, which is switched on by tokens",
    "arrow_config": "an Arrow router over LoRAs",
    "kasa_config": "KaSA",
    "velora_config": "VeLoRA",
    "monteclora_config": "MonteCLoRA",
}
MERGE_IT_IN = "merge it in (peft's `merge_and_unload`, then `save_pretrained`) and give that folder"
# Other beginnings change the base's own weights, so that what was trained does not fit the base as it is published.
_BEGINNINGS = (True, False, None, "gaussian", "eva", "orthogonal")


def check_adapter(config: Mapping[str, Any], folder: Path, base: StoredModel, *, base_source: str) -> None:
    """Refuse an adapter by its configuration.

    Args:
        config: Its `adapter_config.json`.
        folder: Where it lies.
        base: The model that it is to be laid over.
        base_source: Where that is from, as a user wrote it.

    Raises:
        MergeError: If it is no LoRA that can be merged, is damaged, or says that it is of another model.
    """
    _check_kind(config, folder)
    _check_base(config, folder, base_source)
    _check_class(config, folder, base)


def _check_kind(config: Mapping[str, Any], folder: Path) -> None:
    kind = str(config.get("peft_type") or "LORA")
    what = next((words for key, words in _OTHERS.items() if config.get(key)), "")
    if kind.upper() != "LORA":
        what = f"of the kind {kind}"
    beginning = config.get("init_lora_weights", True)
    if beginning not in _BEGINNINGS:
        what = f"a LoRA that began with {beginning}, which changes the base's own weights"
    if what:
        raise MergeError(f"{folder / ADAPTER}: this adapter is {what}; {MERGE_IT_IN}")
    patterns, mapping = config.get("alpha_pattern") or {}, config.get("auto_mapping") or {}
    scales = {"lora_alpha": config.get("lora_alpha", 8), **(patterns if isinstance(patterns, dict) else {"": patterns})}
    odd = [key for key, scale in scales.items() if isinstance(scale, bool) or not isinstance(scale, int | float)]
    if odd or not isinstance(mapping, dict) or not all(map(_is_pattern, scales)):
        what = odd[0] or "alpha_pattern" if odd else "alpha_pattern or auto_mapping"
        raise MergeError(f"{folder / ADAPTER}: {what} is not what peft writes there; fetch it anew, or correct it")


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _check_base(config: Mapping[str, Any], folder: Path, base_source: str) -> None:
    """Refuse an adapter that says it is of another model of the hub than the base."""
    said = str(config.get("base_model_name_or_path") or "")
    given = base_source.removeprefix("hf://").partition("@")[0]
    if base_source.startswith("hf://") and re.fullmatch(r"[\w.-]+/[\w.-]+", said) and said.lower() != given.lower():
        raise MergeError(
            f"{folder} is a LoRA of {said}, and the base is {given}; merge it into its own model (peft's "
            "`merge_and_unload`, then `save_pretrained`) and give that folder, or give its model as the base; where "
            f"that is {given} by another name, as a quantised copy is, say so in {ADAPTER} (`base_model_name_or_path`)"
        )


def _check_class(config: Mapping[str, Any], folder: Path, base: StoredModel) -> None:
    """Refuse an adapter of another architecture, whose names and shapes may be the base's by chance."""
    said = str((config.get("auto_mapping") or {}).get("base_model_class") or "")
    ours = type(base.skeleton.model).__name__
    # Of a VLM the language part may be the base, and the adapter made on either.
    if said != ours and said.endswith(_TEXT_CLASS) and ours.endswith(_TEXT_CLASS):
        raise MergeError(
            f"{folder} is a LoRA of a {said}, and the base {base.folder} is a {ours}; give the model that it was "
            f"trained on as the base, or take `auto_mapping` out of {ADAPTER} if both compute alike"
        )
