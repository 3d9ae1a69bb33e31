"""Architectures correspond if they compute alike, whatever they are called."""

from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from hpo_bench.merging.checkpoints.configuration import _COMPARED
from hpo_bench.merging.checkpoints.same_function import numbers_apart, tells_apart

ROPE = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}


def text(kind: str, **values: Any) -> Any:
    """The language model's configuration of an architecture, with its defaults."""
    return CONFIG_MAPPING[kind](**values).get_text_config()


def glm(kind: str, **rope: Any) -> Any:
    values = {"rope_parameters": {**ROPE, **rope}}
    return text(kind, text_config=values) if kind == "glm4v" else text(kind, **values)


@pytest.mark.parametrize(
    ("vlm", "other"),
    [
        (text("qwen3_vl"), text("qwen3")),
        (glm("glm4v", mrope_section=[8, 12, 12]), glm("glm4")),
        (text("qwen2_vl"), text("qwen2")),
        (text("llama"), text("mistral")),
        (text("mllama"), text("llama")),
    ],
    ids=lambda config: config.model_type,
)
def test_layers_under_another_name_are_the_same(vlm: Any, other: Any) -> None:
    assert tells_apart(vlm, other) == ""
    assert numbers_apart(vlm, other, besides=_COMPARED) == []


@pytest.mark.parametrize(
    ("vlm", "other", "why"),
    [
        ("llama", "gemma", "which compute otherwise with the same weights"),  # norms add one, embeddings are scaled
        ("llama", "granite", "which compute otherwise with the same weights"),  # multipliers
        ("cohere", "cohere2", "which compute otherwise with the same weights"),  # rotations
        ("llama", "qwen2", "which have other weights, such as layers.0.self_attn.k_proj.bias"),
        ("qwen2", "qwen3", "which have other weights, such as layers.0.self_attn.k_norm.weight"),
    ],
)
def test_layers_that_compute_otherwise_are_told_apart(vlm: str, other: str, why: str) -> None:
    assert tells_apart(text(vlm), text(other)).startswith(why)


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "entering"),
    [
        ("granite", {"residual_multiplier": 0.2}, {"residual_multiplier": 0.3}, ["residual_multiplier"]),
        ("granite", {"logits_scaling": 2.0}, {"logits_scaling": 3.0}, ["logits_scaling"]),
        ("cohere", {"layer_norm_eps": 1e-5}, {"layer_norm_eps": 1e-2}, ["layer_norm_eps"]),
        ("llama", {"initializer_range": 0.02, "use_cache": True}, {"initializer_range": 0.1, "use_cache": False}, []),
        ("gemma2", {}, {"layer_types": ["full_attention"] * 26}, ["layer_types"]),
        ("qwen2", {"max_window_layers": 28}, {"max_window_layers": 21}, []),
    ],
)
def test_of_numbers_that_differ_those_count_that_enter_the_answer(
    kind: str, ours: dict, theirs: dict, entering: list[str]
) -> None:
    assert numbers_apart(text(kind, **ours), text(kind, **theirs), besides=_COMPARED) == entering
