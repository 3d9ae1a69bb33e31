"""Which tensors are language, by exact prefix."""

from pathlib import Path

import pytest
import random_models
import yaml

from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import kind_of, language_name, language_tensors, layer_of, prefixes_of
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair


@pytest.mark.parametrize(
    ("model_type", "name", "expected"),
    [
        ("llava", "language_model.model.layers.3.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"),
        ("llava", "model.language_model.layers.3.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"),
        ("llava", "model.language_model.model.norm.weight", "model.norm.weight"),
        ("llava_next", "language_model.lm_head.weight", "lm_head.weight"),
        ("llava_next", "image_newline", None),
        ("llava_next", "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight", None),
        ("qwen2_vl", "model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.q_proj.bias"),
        ("qwen2_vl", "model.language_model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("qwen2_vl", "model.visual.blocks.0.norm1.weight", None),
        ("qwen2_5_vl", "visual.blocks.0.attn.qkv.weight", None),
        ("idefics2", "model.text_model.norm.weight", "model.norm.weight"),
        ("idefics2", "model.connector.perceiver_resampler.layers.0.self_attn.q_proj.weight", None),
        ("idefics2", "model.connector.perceiver_resampler.norm.weight", None),
    ],
)
def test_names_in_memory_and_on_disk(model_type: str, name: str, expected: str | None) -> None:
    assert language_name(name, prefixes_of(model_type)) == expected


def test_an_unknown_architecture_says_how_to_make_it_known() -> None:
    with pytest.raises(MergeError, match=r"no known language backbone in a 'fuyu'.*language_prefixes"):
        prefixes_of("fuyu")
    with pytest.raises(MergeError, match="conversion for transformers under llava-hf"):
        prefixes_of("llava_llama")


def test_two_tensors_cannot_be_one() -> None:
    with pytest.raises(MergeError, match=r"both .* map to 'model.norm.weight'"):
        language_tensors(["model.language_model.norm.weight", "language_model.model.norm.weight"], prefixes_of("llava"))


def test_buffers_of_old_checkpoints_are_no_weights() -> None:
    names = ["language_model.model.layers.0.self_attn.rotary_emb.inv_freq", "language_model.model.norm.weight"]
    assert list(language_tensors(names, prefixes_of("llava"))) == ["model.norm.weight"]


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


def test_an_explicit_mapping_stands_in_for_an_unknown_architecture(tmp_path: Path) -> None:
    folder = random_models.build(tmp_path, "idefics2")
    expected = Alignment.of(Pair.read(folder)).language
    file = folder / "pair.yaml"
    described = yaml.safe_load(file.read_text())
    right = {"model.text_model.": "model.", "lm_head.": "lm_head."}
    file.write_text(yaml.safe_dump({**described, "language_prefixes": right}))
    assert Alignment.of(Pair.read(folder)).language == expected
    file.write_text(yaml.safe_dump({**described, "language_prefixes": {"model.text_model.": "model."}}))
    with pytest.raises(MergeError, match=r"tensors of the base that no tensor of the VLM maps to: lm_head.weight"):
        LoadedPair.load(Pair.read(folder))


def test_prefixes_that_match_nothing_are_refused() -> None:
    with pytest.raises(MergeError, match="nothing is language"):
        language_tensors(["model.norm.weight"], {"foo.": "model."})
