"""Which parameters of a VLM are its language backbone, by exact prefix."""

from collections.abc import Mapping

import torch

from hpo_bench.errors import MergeError

# Prefixes in memory (transformers 5): VLM's -> language model's. Exact prefixes and not suffixes, since Idefics2's
# resampler reuses the names of language layers.
_LLAVA_LIKE = {"model.language_model.": "model.", "lm_head.": "lm_head."}
PREFIXES: Mapping[str, Mapping[str, str]] = {
    "llava": _LLAVA_LIKE,
    "llava_next": _LLAVA_LIKE,
    "qwen2_vl": _LLAVA_LIKE,
    "qwen2_5_vl": _LLAVA_LIKE,
    "idefics2": {"model.text_model.": "model.", "lm_head.": "lm_head."},
}


def language_names(
    model_type: str, vlm: Mapping[str, torch.Tensor], language_model: Mapping[str, torch.Tensor]
) -> dict[str, str]:
    """Map each language parameter of a VLM to the language model's name for it.

    Args:
        model_type: `config.model_type` of the VLM.
        vlm: Its state in memory.
        language_model: State of a text-only model of the same backbone.

    Returns:
        VLM name to language model name, for every language parameter.

    Raises:
        MergeError: If the architecture is unknown, or a parameter has no counterpart or one of another shape.
    """
    if model_type not in PREFIXES:
        raise MergeError(f"no known language backbone in a {model_type!r}; known are: {', '.join(PREFIXES)}")
    names = {}
    for name in vlm:
        for ours, theirs in PREFIXES[model_type].items():
            if name.startswith(ours):
                names[name] = theirs + name.removeprefix(ours)
    extra = sorted(set(names.values()) - set(language_model))
    missing = sorted(set(language_model) - set(names.values()))
    if extra or missing:
        raise MergeError(
            f"the VLM's language backbone and the language model differ: only in the VLM {_some(extra)}; "
            f"only in the language model {_some(missing)}"
        )
    for ours, theirs in names.items():
        if vlm[ours].shape != language_model[theirs].shape:
            raise MergeError(
                f"{theirs}: shape {tuple(vlm[ours].shape)} in the VLM, {tuple(language_model[theirs].shape)} in the "
                "language model"
            )
    return names


def _some(names: list[str]) -> str:
    if not names:
        return "none"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
