"""Merging with mergekit, in memory or by its own configuration."""

import shlex
from collections.abc import Mapping
from typing import Any

import torch
import yaml
from mergekit.merge_methods import merge_state_dicts, merge_tensors
from torch import Tensor

from hpo_bench.errors import UsageError
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting


def options(setting: MergeSetting) -> Mapping[str, Any]:
    """How mergekit calls the setting's method, and its options there.

    Raises:
        UsageError: If mergekit has no such method.
    """
    if setting.kind.mergekit is None:
        raise UsageError(f"mergekit has no {setting.label}")
    return setting.kind.mergekit


def merge(pair: LoadedPair, setting: MergeSetting, *, mask_seed: int) -> dict[str, Tensor]:
    """The merged language weights, in the type that the three models' types promote to.

    Args:
        pair: Base, VLM and expert.
        setting: Method and hyperparameters.
        mask_seed: Seed of DARE's masks, which mergekit draws from torch's global generator; restored afterwards.

    Returns:
        Weights by language model name.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(mask_seed)
        return merge_state_dicts(
            {"base": pair.base, "vlm": pair.tuned, "expert": pair.expert},
            options(setting)["mergekit_method"],
            base="base",
            parameters=_parameters(setting),
        )


def merge_tensor(base: Tensor, tuned: Tensor, expert: Tensor, setting: MergeSetting) -> Tensor:
    """One merged tensor; DARE's masks come from torch's global generator, the VLM's first."""
    return merge_tensors(
        [base, tuned, expert],
        options(setting)["mergekit_method"],
        ids=["base", "vlm", "expert"],
        base_index=0,
        parameters=_parameters(setting),
    )


def configuration(setting: MergeSetting, *, base: str, vlm: str, expert: str, dtype: str) -> dict[str, Any]:
    """What to write as YAML for `mergekit-yaml` to make the same merge of three language models on disk.

    Args:
        setting: Method and hyperparameters.
        base: Folder or hub id of the base.
        vlm: Of the VLM's language backbone, extracted: mergekit knows no VLM.
        expert: Of the expert.
        dtype: What to compute and write in, such as "bfloat16".
    """
    own = {"vlm": {"weight": setting.vl_weight}, "expert": {"weight": setting.exp_weight}}
    if setting.density is not None:
        for parameters in own.values():
            parameters["density"] = setting.density
    shared = {key: value for key, value in _parameters(setting).items() if not isinstance(value, dict)}
    return {
        "merge_method": options(setting)["mergekit_method"],
        "base_model": base,
        "models": [{"model": vlm, "parameters": own["vlm"]}, {"model": expert, "parameters": own["expert"]}],
        "parameters": shared,
        "dtype": dtype,
    }


def _parameters(setting: MergeSetting) -> dict[str, Any]:
    known = options(setting)
    parameters: dict[str, Any] = {
        "weight": {"vlm": setting.vl_weight, "expert": setting.exp_weight},
        "normalize": known["normalize"],
    }
    if "rescale" in known:
        parameters["rescale"] = known["rescale"]
    if setting.density is not None:
        parameters["density"] = {"vlm": setting.density, "expert": setting.density}
    return parameters


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
    content = {**configuration(setting, **parts, dtype=merged_in), "out_dtype": stored_in}
    trusted = " --trust-remote-code" if pair.trust_remote_code else ""
    onto = shlex.quote(f"{pair.name}-merged")
    # mergekit's model card would ask the hub whether "parts/base" is a model there.
    lines = [
        f"{setting.label} with mergekit: the language backbone of this merge.",
        f"1. hpo-bench graft extract {pair.arguments} --out parts{trusted}",
        f"2. mergekit-yaml {FILE} merged --no-write-model-card",
        f"3. hpo-bench graft onto {pair.arguments_of_vlm} --language merged --out {onto}{trusted}",
    ]
    if note := setting.kind.mergekit_note:
        lines.append(note)
    if left_out := [key for key in ("embeddings", "head", "norms", "biases") if not getattr(pair.merge, key)]:
        lines.append(f"The VLM's own {' and '.join(left_out)} are kept, as the pair says.")
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(content, sort_keys=False)
