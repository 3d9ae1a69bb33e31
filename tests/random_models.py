"""Pairs of random weights in real architectures, as published checkpoints look: bf16, sharded, with own tokenizers.

SYNTHETIC: nothing here was trained. VLM and expert are the base plus noise, so that they pass for fine-tunes of it.
The VLM's vocabulary adds image tokens, a padding token and rows without a token, as LLaVA's does; the expert's puts
control tokens before all others, as Mistral v0.3 does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    Glm4Config,
    Glm4ForCausalLM,
    Glm4vConfig,
    Glm4vForConditionalGeneration,
    Idefics2Config,
    Idefics2ForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

ARCHITECTURES = ("llava", "llava_next", "qwen2_vl", "qwen2_5_vl", "idefics2")
SPECIAL = ("<unk>", "<s>", "</s>")
IMAGE = ("<image>", "<pad>", "<vision_start>", "<vision_end>", "<video>")
CONTROL = tuple(f"[control_{i}]" for i in range(7))
PADDING_ROWS = 6
_BACKBONES: dict[str, Any] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "glm4": (Glm4Config, Glm4ForCausalLM),
}
_OF_BACKBONES: dict[str, dict[str, Any]] = {
    "qwen3": {"head_dim": 16},
    "glm4": {"head_dim": 16, "pad_token_id": 0, "attention_bias": True},
}
BACKBONE = {
    "llava": "llama",
    "llava_next": "mistral",
    "qwen2_vl": "qwen2",
    "qwen2_5_vl": "qwen2",
    "idefics2": "mistral",
    "qwen3_vl": "qwen3",
    "glm4v": "glm4",
}


@dataclass(frozen=True, slots=True)
class Widths:
    """How large; `Widths()` is tiny, `REAL` has the layer shapes of a 7B model."""

    hidden: int = 64
    feed_forward: int = 96
    layers: int = 2
    heads: int = 4
    key_value_heads: int = 2
    words: int = 50
    vision: int = 32


REAL = Widths(hidden=4096, feed_forward=14336, layers=2, heads=32, key_value_heads=8, words=32000, vision=1024)


def build(
    folder: Path,
    architecture: str,
    *,
    widths: Widths | None = None,
    tied: bool = False,
    noise: float = 0.02,
    seed: int = 0,
    shard: str = "60KB",
) -> Path:
    """Write `base`, `vlm` and `expert` into a folder, with a `pair.yaml`."""
    widths = widths or Widths()
    torch.manual_seed(seed)
    words = [f"w{i}" for i in range(widths.words)]
    vocabularies = {
        "base": [*SPECIAL, *words],
        "vlm": [*SPECIAL, *words, *IMAGE],
        "expert": [*SPECIAL, *CONTROL, *words],
    }
    backbone = BACKBONE[architecture]
    base = language_model(backbone, widths, len(vocabularies["base"]), tied)
    expert = language_model(backbone, widths, len(vocabularies["expert"]), tied)
    rows = len(vocabularies["vlm"]) + PADDING_ROWS
    vlm = vision_language_model(architecture, language_model(backbone, widths, rows, tied), widths, vocabularies["vlm"])
    inner = vlm.model.text_model if architecture == "idefics2" else vlm.model.language_model
    with torch.no_grad():
        for name, weight in base.state_dict().items():
            weight.copy_(weight + 0.1 * torch.randn_like(weight) if name.endswith("bias") else weight)
        live = {"vlm": {f"model.{name}": weight for name, weight in inner.state_dict().items()}}
        live["vlm"]["lm_head.weight"] = vlm.lm_head.weight
        live["expert"] = expert.state_dict()
        for role, target in live.items():
            for name, weight in base.state_dict().items():
                source = by_token(weight, vocabularies["base"], vocabularies[role], target[name])
                target[name].copy_(source + noise * source.std().nan_to_num(1.0) * torch.randn_like(source))
    for role, model in (("base", base), ("vlm", vlm), ("expert", expert)):
        model.to(torch.bfloat16).save_pretrained(folder / role, max_shard_size=shard)
        tokenizer(vocabularies[role]).save_pretrained(folder / role)
    (folder / "pair.yaml").write_text("name: random\nbase: base\nvlm: vlm\nexpert: expert\n")
    return folder


def by_token(weight: torch.Tensor, mine: Sequence[str], theirs: Sequence[str], target: torch.Tensor) -> torch.Tensor:
    """A weight with its rows reordered from one vocabulary to another, if it has rows by token."""
    if weight.shape == target.shape or weight.dim() != 2 or len(weight) != len(mine):
        return weight
    place = {token: row for row, token in enumerate(mine)}
    moved = target.detach().clone()
    shared = [(row, place[token]) for row, token in enumerate(theirs) if token in place]
    moved[[row for row, _ in shared]] = weight[[row for _, row in shared]]
    return moved


def tokenizer(tokens: Sequence[str]) -> PreTrainedTokenizerFast:
    """A word-level tokenizer whose ids are the tokens' places."""
    special = dict(zip(("unk_token", "bos_token", "eos_token"), SPECIAL, strict=True))
    words = Tokenizer(models.WordLevel({token: row for row, token in enumerate(tokens)}, unk_token=SPECIAL[0]))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, **special)


def language_model(backbone: str, widths: Widths, rows: int, tied: bool) -> Any:
    """A language model of random weights."""
    config_class, model_class = _BACKBONES[backbone]
    return model_class(
        config_class(
            vocab_size=rows,
            hidden_size=widths.hidden,
            intermediate_size=widths.feed_forward,
            num_hidden_layers=widths.layers,
            num_attention_heads=widths.heads,
            num_key_value_heads=widths.key_value_heads,
            max_position_embeddings=64,
            tie_word_embeddings=tied,
            rms_norm_eps=1e-6,
            bos_token_id=1,
            eos_token_id=2,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            **_OF_BACKBONES.get(backbone, {}),
        )
    )


def vision_language_model(architecture: str, inner: Any, widths: Widths, tokens: Sequence[str]) -> Any:
    """A VLM of random weights around a language model's configuration."""
    text, tied, width = inner.config, inner.config.tie_word_embeddings, widths.vision
    at = {token: row for row, token in enumerate(tokens)}
    if architecture in ("llava", "llava_next"):
        vision = CLIPVisionConfig(
            hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=4,
            image_size=24, patch_size=12, projection_dim=32,
        )  # fmt: skip
        extra: dict[str, Any] = {"image_grid_pinpoints": [[24, 48], [48, 24]]} if architecture == "llava_next" else {}
        config_class, model_class = {
            "llava": (LlavaConfig, LlavaForConditionalGeneration),
            "llava_next": (LlavaNextConfig, LlavaNextForConditionalGeneration),
        }[architecture]
        return model_class(
            config_class(
                vision_config=vision,
                text_config=text,
                image_token_index=at["<image>"],
                tie_word_embeddings=tied,
                **extra,
            )
        )
    if architecture == "idefics2":
        return Idefics2ForConditionalGeneration(
            Idefics2Config(
                vision_config={
                    "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2,
                    "num_attention_heads": 4, "image_size": 24, "patch_size": 6,
                },
                perceiver_config={
                    "hidden_size": widths.hidden, "resampler_n_latents": 4, "resampler_depth": 2,
                    "resampler_n_heads": 4, "resampler_head_dim": 16, "num_key_value_heads": 2,
                },
                text_config=text, image_token_id=at["<image>"], tie_word_embeddings=tied,
            )
        )  # fmt: skip
    heads = text.hidden_size // text.num_attention_heads // 2
    values = {
        **text.to_dict(),
        "rope_parameters": {
            **text.rope_parameters,
            "mrope_section": [heads - 2 * (heads // 3), heads // 3, heads // 3],
        },
    }
    values.pop("model_type")
    ids = {
        "image_token_id": at["<image>"], "video_token_id": at["<video>"],
        "vision_start_token_id": at["<vision_start>"], "vision_end_token_id": at["<vision_end>"],
    }  # fmt: skip
    if architecture in ("qwen3_vl", "glm4v"):
        config_class, model_class = {
            "qwen3_vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration),
            "glm4v": (Glm4vConfig, Glm4vForConditionalGeneration),
        }[architecture]
        vision = {
            "depth": 2, "hidden_size": width, "out_hidden_size": text.hidden_size, "num_heads": 4,
            "intermediate_size": 2 * width, "patch_size": 6, "deepstack_visual_indexes": [1],
        }  # fmt: skip
        if architecture == "glm4v":
            vision.pop("deepstack_visual_indexes")
            values["rope_parameters"] |= {"partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1]}
            values["head_dim"] = 16
            ids |= {"image_start_token_id": at["<vision_start>"], "image_end_token_id": at["<vision_end>"]}
            ids.pop("vision_start_token_id"), ids.pop("vision_end_token_id")
        return model_class(config_class(text_config=values, vision_config=vision, tie_word_embeddings=tied, **ids))
    if architecture == "qwen2_vl":
        vision = {
            "depth": 2,
            "embed_dim": width,
            "hidden_size": text.hidden_size,
            "num_heads": 4,
            "mlp_ratio": 2,
            "patch_size": 6,
        }
        return Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(text_config=values, vision_config=vision, tie_word_embeddings=tied, **ids)
        )
    vision = {
        "depth": 2, "hidden_size": width, "out_hidden_size": text.hidden_size, "num_heads": 4,
        "intermediate_size": 2 * width, "patch_size": 6, "fullatt_block_indexes": [1],
    }  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=values, vision_config=vision, tie_word_embeddings=tied, **ids)
    )
