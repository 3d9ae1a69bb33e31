"""Of what kind a tensor is, and what of them is merged."""

from pathlib import Path

import pytest
import random_models
import yaml

from hpo_bench.merging.architectures import kind_of, layer_of
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


@pytest.mark.parametrize(
    ("name", "kind", "layer"),
    [
        ("model.embed_tokens.weight", "embeddings", "embeddings"),
        ("lm_head.weight", "head", "head"),
        ("model.norm.weight", "norms", "norm"),
        ("model.layers.7.post_attention_layernorm.weight", "norms", "7"),
        ("model.layers.12.self_attn.q_proj.bias", "biases", "12"),
        ("model.layers.12.self_attn.q_proj.weight", "attention", "12"),
        ("model.layers.0.mlp.down_proj.weight", "mlp", "0"),
        ("model.layers.3.linear_attn.in_proj_qkv.weight", "attention", "3"),
        ("model.layers.3.linear_attn.A_log", "attention", "3"),
        ("model.layers.0.feed_forward.w1.weight", "mlp", "0"),
        ("model.layers.0.mlp.experts.gate_up_proj", "mlp", "0"),
        ("model.embed_tokens_per_layer.weight", "embeddings", "embeddings"),
        ("model.h.3.self_attention.query_key_value.weight", "attention", "3"),
        ("model.h.3.attn.c_attn.weight", "attention", "3"),
        ("model.h.3.ln_attn.weight", "norms", "3"),
        ("model.h.3.mlp.dense_h_to_4h.weight", "mlp", "3"),
        ("model.ln_f.weight", "norms", "norm"),
    ],
)
def test_kinds_and_layers(name: str, kind: str, layer: str) -> None:
    assert (kind_of(name), layer_of(name)) == (kind, layer)


def test_parts_can_be_left_out(tmp_path: Path) -> None:
    folder = random_models.build(tmp_path, "qwen2_vl")
    file = folder / "pair.yaml"
    left_out = dict.fromkeys(("embeddings", "head", "norms", "biases"), False)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "merge": left_out}))
    loaded = LoadedPair.load(Pair.read(folder))
    assert {kind_of(name) for name in loaded.base} == {"attention", "mlp"}
    assert set(loaded.base) == set(loaded.names.values()) == set(loaded.expert) == set(loaded.tuned)
