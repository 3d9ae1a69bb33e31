"""Merging with mergekit, in memory."""

from typing import Any

import torch
from mergekit.merge_methods import merge_state_dicts

from hpo_bench.merging.pair import LoadedPair
from hpo_bench.merging.setting import MergeSetting

# mergekit's own defaults, but for TIES' `normalize`: with it on, scaling both weights changes nothing and the space
# loses a dimension. DARE here is `dare_linear`: random sparsification of each task vector, then Task Arithmetic.
OPTIONS: dict[str, dict[str, Any]] = {
    "ta": {"mergekit_method": "task_arithmetic", "normalize": False},
    "dare": {"mergekit_method": "dare_linear", "normalize": False, "rescale": True, "rescale_norm": "l1"},
    "ties": {"mergekit_method": "ties", "normalize": False},
}


def merge(pair: LoadedPair, setting: MergeSetting, *, mask_seed: int) -> dict[str, torch.Tensor]:
    """The merged language weights, in float32.

    Args:
        pair: Base, VLM and expert.
        setting: Method and hyperparameters.
        mask_seed: Seed of DARE's masks, which mergekit draws from torch's global generator; restored afterwards.

    Returns:
        Weights by language model name.
    """
    options = OPTIONS[setting.method]
    parameters: dict[str, Any] = {
        "weight": {"vlm": setting.vl_weight, "expert": setting.exp_weight},
        "normalize": options["normalize"],
    }
    if "rescale" in options:
        parameters["rescale"] = options["rescale"]
    if setting.density is not None:
        parameters["density"] = {"vlm": setting.density, "expert": setting.density}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(mask_seed)
        return merge_state_dicts(
            {"base": pair.base, "vlm": pair.tuned, "expert": pair.expert},
            options["mergekit_method"],
            base="base",
            parameters=parameters,
        )
