"""What an engine gives back of its weights is compared matrix by matrix, fused ones too."""

import hashlib

import pytest
import torch

from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.serving.read_back import check_same, layers_to_read

COLUMNS = [1, 3]


def language(*, fused: bool = False) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    parts = ["self_attn.qkv_proj"] if fused else [f"self_attn.{one}_proj" for one in "qkv"]
    names = [
        "model.embed_tokens",
        *(f"model.layers.{i}.{part}" for i in (0, 1) for part in (*parts, "self_attn.o_proj")),
    ]
    return {f"{name}.weight": torch.randn(6, 4) for name in names}


def given(weights: dict[str, torch.Tensor], module: str, *names: str) -> tuple[list[int], int, str]:
    whole = torch.cat([weights[f"{name}.weight"] for name in names])
    values = whole[:, COLUMNS].to(torch.bfloat16).float().T + 0.0
    return COLUMNS, len(whole), hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()


def compare(weights: dict[str, torch.Tensor], *workers: dict[str, tuple]) -> int:
    return check_same(workers, weights, stored=dict.fromkeys(weights, torch.bfloat16), computed=torch.bfloat16)


def test_matrices_that_are_the_same_are_counted() -> None:
    weights = language()
    at = "model.layers.1.self_attn."
    one = {
        f"{at}qkv_proj": given(weights, "", *(f"{at}{part}_proj" for part in "qkv")),
        f"language.{at.removeprefix('model.')}o_proj": given(weights, "", f"{at}o_proj"),
        "lm_head": given(weights, "", "model.embed_tokens"),
        "visual.blocks.0.attn.proj": (COLUMNS, 6, "of nobody"),
    }
    assert compare(weights, one) == 3
    fused = language(fused=True)
    assert compare(fused, {f"{at}qkv_proj": given(fused, "", f"{at}qkv_proj")}) == 1


def test_one_that_is_another_is_stale() -> None:
    weights = language()
    wrong = given(weights, "", "model.layers.0.self_attn.q_proj")
    with pytest.raises(EvaluationError, match=r"model.layers.1.self_attn.o_proj is not that of this merge") as caught:
        compare(weights, {"model.layers.1.self_attn.o_proj": wrong})
    assert caught.value.kind == "stale"


def test_an_engine_that_gives_nothing_back_proves_nothing() -> None:
    with pytest.raises(EvaluationError, match="none of its weights"):
        compare(language(), {"other.thing": (COLUMNS, 6, "")})
    split = {"model.layers.0.self_attn.qkv_proj": (COLUMNS, 6, "of a part")}  # of two workers each has some rows
    with pytest.raises(EvaluationError, match="none of its weights"):
        compare(language(), split, split)


def test_first_middle_and_last_layers_are_read() -> None:
    assert layers_to_read([f"model.layers.{i}.mlp.up_proj.weight" for i in range(32)]) == [0, 16, 31]
    assert layers_to_read(["model.norm.weight", "model.layers.0.x.weight"]) == [0]


def test_each_is_rounded_as_it_is_stored() -> None:
    weights = language()
    name = "model.layers.0.self_attn.o_proj"
    told = {name: given(weights, "", name)}
    exact = dict.fromkeys(weights, torch.float32)
    with pytest.raises(EvaluationError, match="o_proj"):
        check_same([told], weights, stored=exact, computed=torch.float32)
    assert check_same([told], weights, stored={**exact, f"{name}.weight": torch.bfloat16}, computed=torch.float32) == 1
