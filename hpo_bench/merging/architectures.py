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
    if name.rsplit(".", 2)[-2].endswith("norm"):
        return "norms"
    if ".self_attn." in name or ".linear_attn." in name:
        return "attention"
    return "mlp" if ".mlp." in name or ".feed_forward." in name else "other"


def layer_of(name: str) -> str:
    """The layer of a tensor: "embeddings", "0", "1" and so on, "norm" or "head"."""
    if name.startswith("model.layers."):
        return name.split(".")[2]
    kind = kind_of(name)
    return kind if kind in ("embeddings", "head") else "norm"
