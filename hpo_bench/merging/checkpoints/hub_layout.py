"""The names under which hubs hold a model's tensors, where a checkpoint of its own making has others.

transformers writes a model that it has read under the names that it was read from, and one that it has made from
nothing under shorter ones: without the `vision_model.` of CLIP's encoder, which every LLaVA on a hub has. It reads
both; serving engines, and older versions of transformers, know the hub's alone.
"""

from collections.abc import Mapping

from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import PrefixChange

from hpo_bench.merging.checkpoints.model import StoredModel


def hub_names(model: StoredModel) -> Mapping[str, str]:
    """A checkpoint's names to the hub's, most of them the same.

    Args:
        model: The checkpoint beside its class.

    Returns:
        For every stored tensor, in order. transformers makes the same tensors in memory of either.
    """
    changes = [
        one
        for one in get_model_conversion_mapping(model.skeleton.model)
        if isinstance(one, PrefixChange) and one.prefix_to_remove and one.scope_prefix
    ]
    stored = list(model.checkpoint.tensors)
    names = {name: name for name in stored}
    for change in changes:
        places = [f"{change.scope_prefix}.", f"{change.base_model_prefix}.{change.scope_prefix}."]
        if model.skeleton.body in places:
            continue  # a language model's by itself is called otherwise than as part of a VLM
        inside = [(name, place) for name in stored for place in places if name.startswith(place)]
        lacking = f"{change.prefix_to_remove}."
        if not any(name.startswith(place + lacking) for name, place in inside):
            names |= {name: place + lacking + name.removeprefix(place) for name, place in inside}
    renamed = any(name != hub for name, hub in names.items())
    if renamed and model.skeleton.sources(names.values())[0].keys() != model.sources.keys():
        return {name: name for name in stored}  # of a class that says one thing and does another
    return names
