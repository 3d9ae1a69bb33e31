"""Which tensors of a VLM are its language backbone, and of what kind each is, by exact name."""

from collections.abc import Iterable, Mapping
from typing import Literal

from hpo_bench.errors import MergeError

EMBEDDINGS = "model.embed_tokens.weight"
HEAD = "lm_head.weight"

Kind = Literal["embeddings", "head", "norms", "biases", "attention", "mlp", "other"]
KINDS: tuple[Kind, ...] = ("embeddings", "attention", "mlp", "norms", "biases", "head", "other")

# Prefixes in memory (transformers 5) and in the safetensors that are published, VLM's -> language model's. Prefixes and
# not suffixes, since Idefics2's resampler reuses the names of language layers. transformers 5.10 to 5.23 wrote some
# checkpoints with `model` twice, and reads them still.
_LLAVA = {
    "model.language_model.": "model.",
    "language_model.model.": "model.",
    "language_model.lm_head.": "lm_head.",
    "model.language_model.model.": "model.",
    "language_model.model.model.": "model.",
    "lm_head.": "lm_head.",
}
_QWEN = {
    "model.language_model.": "model.",
    "model.embed_tokens.": "model.embed_tokens.",
    "model.layers.": "model.layers.",
    "model.norm.": "model.norm.",
    "lm_head.": "lm_head.",
}
_PLAIN = {"model.language_model.": "model.", "lm_head.": "lm_head."}
PREFIXES: Mapping[str, Mapping[str, str]] = {
    "llava": _LLAVA,
    "llava_next": _LLAVA,
    "qwen2_vl": _QWEN,
    "qwen2_5_vl": _QWEN,
    "qwen3_vl": _PLAIN,
    "glm4v": _PLAIN,
    "idefics2": {"model.text_model.": "model.", "lm_head.": "lm_head."},
}
# Buffers that old checkpoints hold and that follow from the configuration.
_NO_WEIGHT = (".rotary_emb.inv_freq", ".attn.masked_bias", ".attn.bias")


def prefixes_of(model_type: str, explicit: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """How a VLM's names begin, and how a language model's do.

    Args:
        model_type: `model_type` in the VLM's configuration.
        explicit: A mapping of the user's own, which goes first; see `language_prefixes` in `Pair`.

    Raises:
        MergeError: If the architecture is not known and there is no explicit mapping.
    """
    if explicit:
        return explicit
    if model_type in PREFIXES:
        return PREFIXES[model_type]
    hint = ""
    if model_type.startswith("llava_"):
        hint = "a checkpoint in the LLaVA authors' own format has a conversion for transformers under llava-hf; "
    raise MergeError(
        f"no known language backbone in a {model_type!r}; known are: {', '.join(PREFIXES)}; {hint}for any other, "
        "say in pair.yaml how its names begin: `language_prefixes: {model.language_model.: model., lm_head.: lm_head.}`"
    )


def language_name(name: str, prefixes: Mapping[str, str]) -> str | None:
    """The language model's name for a tensor of the VLM, by the longest prefix; None if it is not language."""
    for prefix in sorted(prefixes, key=len, reverse=True):
        if name.startswith(prefix):
            return prefixes[prefix] + name.removeprefix(prefix)
    return None


def language_tensors(names: Iterable[str], prefixes: Mapping[str, str]) -> dict[str, str]:
    """Language model name to the VLM's name, for every language tensor among the VLM's.

    Raises:
        MergeError: If two tensors of the VLM claim the same name, or none is language.
    """
    found: dict[str, str] = {}
    for name in names:
        theirs = language_name(name, prefixes)
        if theirs is None or not is_weight(theirs):
            continue
        if theirs in found:
            raise MergeError(
                f"both {found[theirs]!r} and {name!r} of the VLM map to {theirs!r}; the prefixes are ambiguous"
            )
        found[theirs] = name
    if not found:
        raise MergeError(f"no tensor of the VLM begins with {' or '.join(map(repr, prefixes))}: nothing is language")
    return found


def is_weight(name: str) -> bool:
    """Whether a tensor is learnt; old checkpoints also hold buffers that follow from the configuration."""
    return not name.endswith(_NO_WEIGHT)


def kind_of(name: str) -> Kind:
    """What part of a language model a tensor is, by its language model name."""
    if name == EMBEDDINGS:
        return "embeddings"
    if name == HEAD:
        return "head"
    if name.endswith(".bias"):
        return "biases"
    if name.rsplit(".", 2)[-2].endswith("norm"):
        return "norms"
    if ".self_attn." in name:
        return "attention"
    return "mlp" if ".mlp." in name else "other"


def layer_of(name: str) -> str:
    """The layer of a tensor: "embeddings", "0", "1" and so on, "norm" or "head"."""
    if name.startswith("model.layers."):
        return name.split(".")[2]
    return {EMBEDDINGS: "embeddings", HEAD: "head"}.get(name, "norm")
