"""Language models that do not call their layers `model.layers`: Falcon, GPT-2, and Llama 4 in a VLM (SYNTHETIC)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from backbones import VOCABULARIES
from random_models import tokenizer

from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.skeleton import auto_class
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import stream_merge

ROWS = len(VOCABULARIES["base"])
SEEN: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
SEEN |= {"image_size": 24, "patch_size": 12}
WIDTH: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": ROWS,
    "pad_token_id": 0,
}
FALCON: dict[str, Any] = WIDTH | {"new_decoder_architecture": True, "num_kv_heads": 2, "tie_word_embeddings": False}
GPT2: dict[str, Any] = {
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "vocab_size": ROWS,
    "n_positions": 64,
    "tie_word_embeddings": False,
}
LLAMA4: dict[str, Any] = WIDTH | {
    "intermediate_size": 24, "intermediate_size_mlp": 24, "num_key_value_heads": 2, "head_dim": 8,
    "num_local_experts": 4, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2,
}  # fmt: skip


def llava(kind: str, values: dict[str, Any]) -> tuple[Any, Any]:
    config: Any = getattr(transformers, f"{kind}Config")(**values)
    vision = {**SEEN, "model_type": "clip_vision_model", "projection_dim": 8}
    whole = transformers.LlavaConfig(text_config=config.to_dict(), vision_config=vision, image_token_index=3)
    language = transformers.AutoModelForCausalLM.from_config(config)
    return language, transformers.LlavaForConditionalGeneration(whole)


def llama4() -> tuple[Any, Any]:
    vision = {**SEEN, "vision_output_dim": 16, "projector_input_dim": 16, "projector_output_dim": 16}
    whole = transformers.Llama4Config(text_config=LLAMA4, vision_config=vision)
    language = transformers.Llama4ForCausalLM(transformers.Llama4TextConfig(**LLAMA4))
    return language, transformers.Llama4ForConditionalGeneration(whole)


def under_language_model(name: str) -> str:
    return name.replace("transformer.", "model.language_model.", 1)


@pytest.mark.parametrize(
    ("made", "in_vlm"),
    [
        (lambda: llava("Falcon", FALCON), under_language_model),
        (lambda: llava("GPT2", GPT2), under_language_model),
        (llama4, "language_model.{}".format),
    ],
    ids=["falcon", "gpt2", "llama4"],
)
def test_layers_by_other_names_are_merged_and_counted(
    made: Callable[[], tuple[Any, Any]], in_vlm: Callable[[str], str], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    language, vlm = made()
    with torch.no_grad():
        base = {name: torch.randn_like(weight) for name, weight in language.state_dict().items()}
        for role, model, named in (("base", language, str), ("expert", language, str), ("vlm", vlm, in_vlm)):
            state = model.state_dict()
            for name, weight in base.items():
                state[named(name)].copy_(weight + (role != "base") * 0.05 * torch.randn_like(weight))
            model.save_pretrained(tmp_path / role)
            tokenizer(VOCABULARIES["base"]).save_pretrained(tmp_path / role)
    pair = Pair.of(base=str(tmp_path / "base"), vlm=str(tmp_path / "vlm"), expert=str(tmp_path / "expert"))
    diagnosis = diagnose(pair)
    assert diagnosis.fit
    assert {"0", "1"} <= {*diagnosis.by_layer()}
    assert "attention" in diagnosis.mapping()
    assert len(Alignment.of(pair).merged) == len(base)

    def state_of(folder: Path, *, sees: bool) -> dict[str, torch.Tensor]:
        config = transformers.AutoConfig.from_pretrained(folder)
        return auto_class(config, sees=sees).from_pretrained(folder, dtype=torch.float32).state_dict()

    merged = state_of(stream_merge(pair, MergeSetting("ta", 0.5, 0.75), tmp_path / "out"), sees=True)
    before, start, expert = (state_of(tmp_path / role, sees=role == "vlm") for role in ("vlm", "base", "expert"))
    expected = dict(before)
    for name, weight in start.items():
        ours = before[in_vlm(name)]
        expected[in_vlm(name)] = weight + 0.5 * (ours - weight) + 0.75 * (expert[name] - weight)
    for name, weight in merged.items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-5, atol=1e-5, msg=name)
