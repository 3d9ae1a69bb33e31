"""What is known of architectures: by which names tensors tell what they are, and configurations what they count."""

from typing import Literal

EMBEDDINGS = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
BY_ROW = (EMBEDDINGS, HEAD, "lm_head.bias", "model.embed_tokens_per_layer.weight")
"""Those that have a row for each token."""

ROWS_PER_LAYER = "vocab_size_per_layer_input"
"""Where a configuration says how many rows the last of these has."""

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""How many experts a layer chooses from, by the names that configurations have for it."""
INSERTED = "cross_attention_layers"
"""Where a configuration says which layers a VLM has between those of its language model, as Mllama's does; they stand
by where there are no pictures."""

_LAYERS = ("layers", "h", "blocks")
"""Lists of layers: GPT-2, Falcon and BLOOM have `h`."""
_ATTENTION = ("self_attn", "linear_attn", "self_attention", "attention", "attn")
_FEED_FORWARD = ("mlp", "feed_forward")
_NORMS = ("ln_", "norm_")
"""How names of norms begin that do not end so: `ln_1` of GPT-2, `ln_attn` of Falcon."""

Kind = Literal["embeddings", "head", "norms", "biases", "attention", "mlp", "other"]
KINDS: tuple[Kind, ...] = ("embeddings", "attention", "mlp", "norms", "biases", "head", "other")


def kind_of(name: str) -> Kind:
    """What part of a language model a tensor is, by its language model name."""
    if name in BY_ROW and name.startswith("model."):
        return "embeddings"
    if name == HEAD:
        return "head"
    if name.endswith(".bias"):
        return "biases"
    parts = name.split(".")
    if parts[-2].endswith("norm") or parts[-2].startswith(_NORMS):
        return "norms"
    if not {*_ATTENTION}.isdisjoint(parts):
        return "attention"
    return "other" if {*_FEED_FORWARD}.isdisjoint(parts) else "mlp"


def layer_of(name: str) -> str:
    """The layer of a tensor: "embeddings", "0", "1" and so on, "norm" or "head"."""
    parts = name.split(".")
    if len(parts) > 2 and parts[1] in _LAYERS and parts[2].isdigit():
        return parts[2]
    kind = kind_of(name)
    return kind if kind in ("embeddings", "head") else "norm"
