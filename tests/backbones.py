"""VLMs of every family that is known to merge, tiny and of random weights, with the language model that they grew from.

SYNTHETIC: nothing here was trained. VLM and expert are the base plus noise, so that they pass for fine-tunes of it, and
vocabularies differ as in `random_models`. A family is one row of `FAMILIES`.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model
from random_models import CONTROL, IMAGE, PADDING_ROWS, SPECIAL, by_token, tokenizer
from safetensors.torch import load_file, save_file

WIDTH, LAYERS, WORDS = 32, 2, 50
_TEXT = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "bos_token_id": 1,
    "eos_token_id": 2, "pad_token_id": 0, "sliding_window": None,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}  # fmt: skip
_SEEN = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
_SQUARE = _SEEN | {"image_size": 24, "patch_size": 12}
_GLM_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}


@dataclass(frozen=True, slots=True)
class Family:
    """A row.

    Attributes:
        text: What the language model's classes are called before `Config` (or `TextConfig`) and `ForCausalLM`.
        vlm: The VLM's, before `Config` and `ForConditionalGeneration`.
        vision: Its picture encoder's configuration; with the class's name before `Config` where it may be of several.
        extra: Values of the VLM's configuration.
        texts: Values of the language model's configuration, beside the usual ones.
        inside: Those that differ inside the VLM.
        body: How names of the VLM's language layers begin in memory, where the language model's begin with `model.`.
        layers: The language model's number of a layer to the VLM's.
        further: Tensors that hubs hold and no class takes.
        transposed: Whether hubs hold experts transposed.
    """

    text: str
    vlm: str
    vision: Mapping[str, Any] | tuple[str, Mapping[str, Any]]
    extra: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, Any] = field(default_factory=dict)
    inside: Mapping[str, Any] = field(default_factory=dict)
    body: str = "model.language_model."
    layers: tuple[int, ...] = (0, 1)
    further: tuple[str, ...] = ()
    transposed: bool = False


_QWEN_VISION = {"depth": 1, "num_heads": 2, "patch_size": 6, "hidden_size": 16, "intermediate_size": 24}
_MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}}
_MOE = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 12,
    "decoder_sparse_step": 1,
    "norm_topk_prob": True,
}
_MOE |= {"mlp_only_layers": []}
_QWEN_IDS = {"image_token_id": 53, "video_token_id": 57, "vision_start_token_id": 55, "vision_end_token_id": 56}
_GLM_IDS = {"image_token_id": 53, "video_token_id": 57, "image_start_token_id": 55, "image_end_token_id": 56}
_GLM_IDS |= {"video_start_token_id": 55, "video_end_token_id": 56}
_LINEAR = {
    "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 2, "linear_num_key_heads": 2,
    "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip
_GEMMA2 = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4}
_AUDIO = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_blocks": 1,
    "num_attention_heads": 2,
    "ext_pw_out_channel": 16,
    "nemo_conv_channels": 16,
    "input_size": 16,
}
_GEMMA = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4, "rope_parameters": None}

_CLIP = ("CLIPVision", _SQUARE | {"projection_dim": 8})
_SIGLIP = ("SiglipVision", _SQUARE)
_PIXTRAL = ("PixtralVision", _SQUARE | {"head_dim": 8})
_GRID = {"image_grid_pinpoints": [[24, 48], [48, 24]]}
_QWEN3_VISION = _QWEN_VISION | {"out_hidden_size": WIDTH}
_DEEPSTACK = _QWEN3_VISION | {"deepstack_visual_indexes": [0]}
_INDEX, _ID = {"image_token_index": 53}, {"image_token_id": 53}
_GLM_MROPE = {"rope_parameters": _GLM_ROPE | {"mrope_section": [1, 1, 0]}}
FAMILIES: dict[str, Family] = {
    "llava": Family("Llama", "Llava", _CLIP, _INDEX),
    "llava-next": Family("Mistral", "LlavaNext", _CLIP, _INDEX | _GRID),
    "llava-onevision": Family("Qwen2", "LlavaOnevision", _SIGLIP, _INDEX | _GRID | {"video_token_index": 57}),
    "pixtral": Family("Mistral", "Llava", _PIXTRAL, _INDEX),
    "mistral3": Family("Mistral", "Mistral3", _PIXTRAL, _INDEX),
    "qwen2-vl": Family(
        "Qwen2", "Qwen2VL",
        {"depth": 1, "embed_dim": 16, "hidden_size": WIDTH, "num_heads": 2, "mlp_ratio": 2, "patch_size": 6},
        _QWEN_IDS, inside=_MROPE,
    ),
    "qwen2.5-vl": Family(
        "Qwen2", "Qwen2_5_VL", _QWEN3_VISION | {"fullatt_block_indexes": [0]}, _QWEN_IDS, inside=_MROPE
    ),
    "qwen3-vl": Family("Qwen3", "Qwen3VL", _DEEPSTACK, _QWEN_IDS, inside=_MROPE),
    "qwen3.5": Family(
        "Qwen3_5", "Qwen3_5", _QWEN3_VISION, _QWEN_IDS, texts=_LINEAR, inside=_MROPE,
        further=("mtp.fc.weight", "mtp.layers.0.self_attn.q_proj.weight"),
    ),
    "internvl": Family("Qwen2", "InternVL", _SEEN | {"image_size": [24, 24], "patch_size": [6, 6]}, _ID),
    "idefics2": Family(
        "Mistral", "Idefics2", _SQUARE,
        _ID | {"perceiver_config": {
            "hidden_size": WIDTH, "resampler_n_latents": 4, "resampler_depth": 2, "resampler_n_heads": 4,
            "resampler_head_dim": 8, "num_key_value_heads": 2,
        }},
        body="model.text_model.",
    ),
    "idefics3": Family("Llama", "Idefics3", _SQUARE, _ID | {"scale_factor": 2}, body="model.text_model."),
    "smolvlm": Family("Llama", "SmolVLM", _SQUARE, _ID | {"scale_factor": 2}, body="model.text_model."),
    "gemma3": Family(
        "Gemma3", "Gemma3", _SIGLIP,
        _INDEX | {"mm_tokens_per_image": 4, "boi_token_index": 55, "eoi_token_index": 56}, texts=_GEMMA,
    ),
    "gemma4": Family(
        "Gemma4", "Gemma4", ("Gemma4Vision", _SEEN), _ID | {"boi_token_id": 55, "eoi_token_id": 56},
        texts=_GEMMA | {"hidden_size_per_layer_input": 8, "num_kv_shared_layers": 0, "global_head_dim": 8},
    ),
    "paligemma": Family("Gemma", "PaliGemma", _SIGLIP, _INDEX | {"projection_dim": WIDTH}),
    "paligemma2": Family("Gemma2", "PaliGemma", _SIGLIP, _INDEX | {"projection_dim": WIDTH}, texts=_GEMMA2),
    "aya-vision": Family("Cohere2", "AyaVision", _SIGLIP, _INDEX, texts=_GEMMA2),
    "cohere2-vision": Family("Cohere2", "Cohere2Vision", _SIGLIP, _ID, texts=_GEMMA2),
    "lfm2-vl": Family(
        "Lfm2", "Lfm2Vl", ("Siglip2Vision", _SEEN | {"num_patches": 16}), _ID,
        texts={"layer_types": ["conv", "full_attention"]},
    ),
    "glm4v": Family(
        "Glm4", "Glm4v", _QWEN3_VISION, _GLM_IDS, texts={"rope_parameters": _GLM_ROPE, "attention_bias": True},
        inside=_GLM_MROPE,
    ),
    "phi4-multimodal": Family("Phi3", "Phi4Multimodal", _SQUARE, body="model."),
    "ovis2": Family(
        "Qwen2", "Ovis2", _SQUARE | {"vocab_size": 16, "hidden_stride": 1},
        _ID | {"visual_indicator_token_ids": [54, 55, 56, 57, 58], "hidden_size": WIDTH},
    ),
    "mllama": Family(
        "Llama", "Mllama",
        _SQUARE | {
            "vision_output_dim": 32, "supported_aspect_ratios": [[1, 1]], "max_num_tiles": 1, "num_global_layers": 1,
            "intermediate_layers_indices": [0],
        },
        _INDEX, inside={"num_hidden_layers": 3, "cross_attention_layers": [1]}, layers=(0, 2),
    ),
    "qwen3-vl-moe": Family(
        "Qwen3Moe", "Qwen3VLMoe", _DEEPSTACK, _QWEN_IDS, texts=_MOE, inside=_MROPE, transposed=True
    ),
    "glm4v-moe": Family(
        "Glm4Moe", "Glm4vMoe", _QWEN3_VISION, _GLM_IDS,
        texts={
            "rope_parameters": _GLM_ROPE, "attention_bias": True, "n_routed_experts": 4, "n_shared_experts": 1,
            "num_experts_per_tok": 2, "moe_intermediate_size": 12, "first_k_dense_replace": 1, "n_group": 1,
            "topk_group": 1,
        },
        inside=_GLM_MROPE,
    ),
}  # fmt: skip
LAYOUTS = ("hub", "memory")
LORA_LAYERS = ["q_proj", "v_proj", "down_proj"]
VOCABULARIES = {
    "base": (*SPECIAL, *(f"w{i}" for i in range(WORDS))),
    "vlm": (*SPECIAL, *(f"w{i}" for i in range(WORDS)), *IMAGE),
    "expert": (*SPECIAL, *CONTROL, *(f"w{i}" for i in range(WORDS))),
}


def build(folder: Path, name: str, *, tied: bool = False, layout: str = "hub", noise: float = 0.05) -> Path:
    """Write `base`, `vlm` and `expert` of a family into a folder, sharded, with tokenizers and a `pair.yaml`.

    Args:
        folder: Where to.
        name: A key of `FAMILIES`.
        tied: Whether heads are the embeddings, in all three.
        layout: "hub": as hubs hold it; "memory": by transformers' names in memory.
        noise: How far VLM and expert are from the base, relative to each tensor's spread.
    """
    torch.manual_seed(0)
    family = FAMILIES[name]
    base, expert = (language_model(family, len(VOCABULARIES[role]), tied) for role in ("base", "expert"))
    vlm = vision_language_model(family, len(VOCABULARIES["vlm"]) + PADDING_ROWS, tied)
    with torch.no_grad():
        start = base.state_dict()
        for weight in start.values():
            weight.copy_(torch.randn_like(weight) * (0.1 if weight.dim() < 2 else weight.shape[-1] ** -0.5))
        for role, model in (("vlm", vlm), ("expert", expert)):
            state = model.state_dict()
            for key, weight in start.items():
                if tied and key == "lm_head.weight":
                    continue
                target = state[in_vlm(family, key) if role == "vlm" else key]
                moved = by_token(weight, VOCABULARIES["base"], VOCABULARIES[role], target)
                target.copy_(moved + noise * (weight.std() if weight.numel() > 1 else 1.0) * torch.randn_like(moved))
    for role, words in VOCABULARIES.items():
        tokenizer(words).save_pretrained(folder / role)
    save(folder, family, {"base": base, "vlm": vlm, "expert": expert}, layout=layout, tied=tied)
    (folder / "pair.yaml").write_text(f"name: {name}\nbase: base\nvlm: vlm\nexpert: expert\n")
    return folder


def save(
    folder: Path, family: Family, models: Mapping[str, Any], *, layout: str, tied: bool, alias: bool = False,
    dtype: torch.dtype = torch.bfloat16,
) -> None:  # fmt: skip
    """Write models by role, sharded, in a layout.

    Args:
        folder: Where to; a folder each.
        family: Theirs.
        models: By role.
        layout: As `build` takes it.
        tied: Whether heads are the embeddings.
        alias: Whether in memory layout such a head is stored as well.
        dtype: In which.
    """
    for role, model in models.items():
        model.to(dtype).save_pretrained(folder / role, max_shard_size="30KB")
        if layout == "memory":
            state = model.state_dict().items()
            _rewrite(folder / role, {key: each for key, each in state if alias or not (tied and "lm_head" in key)})
    if layout == "hub" and (family.transposed or family.further):
        stored = _read(folder / "vlm")
        stored = {
            key: each.transpose(1, 2) if family.transposed and ".experts." in key else each
            for key, each in stored.items()
        }
        _rewrite(folder / "vlm", stored | {key: torch.randn(4, 4, dtype=dtype) for key in family.further})


def lora(base: Path, folder: Path, **options: Any) -> Path:
    """A LoRA of random weights, as peft writes it."""
    torch.manual_seed(1)
    plain = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": LORA_LAYERS, "init_lora_weights": False}
    model: Any = get_peft_model(plain, LoraConfig(**(settings | options)))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.mul_(0.1)
            elif weight.requires_grad:
                weight.add_(0.05 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return folder


def in_vlm(family: Family, name: str) -> str:
    """What the VLM calls a language model's tensor, in memory."""
    if not name.startswith("model."):
        return name
    parts = name.removeprefix("model.").split(".")
    if parts[0] == "layers":
        parts[1] = str(family.layers[int(parts[1])])
    return family.body + ".".join(parts)


def _language_config(family: Family, rows: int, tied: bool) -> Any:
    values = _TEXT | dict(family.texts) | {"vocab_size": rows, "tie_word_embeddings": tied}
    if "hidden_size_per_layer_input" in values:
        values["vocab_size_per_layer_input"] = rows
    kind = getattr(transformers, f"{family.text}TextConfig", None) or getattr(transformers, f"{family.text}Config")
    return kind(**deepcopy(values))  # transformers writes what is missing into the dictionaries that it is given


def language_model(family: Family, rows: int, tied: bool) -> Any:
    """A language model of random weights."""
    return getattr(transformers, f"{family.text}ForCausalLM")(_language_config(family, rows, tied))


def vision_language_model(family: Family, rows: int, tied: bool, changes: Mapping[str, Any] | None = None) -> Any:
    """A VLM of random weights.

    Args:
        family: Its.
        rows: Of its embeddings.
        tied: Whether its head is the embeddings.
        changes: Values of its configuration that are others; those of its picture encoder under "vision".
    """
    changes, text = dict(changes or {}), _language_config(family, rows, tied)
    kind = getattr(transformers, f"{family.vlm}Config")
    values = text.to_dict() | deepcopy(dict(family.inside))
    vision: Any = deepcopy(family.vision)
    seen = changes.pop("vision", {})
    if isinstance(vision, tuple):
        vision = getattr(transformers, f"{vision[0]}Config")(**{**vision[1], **seen})
    extra = {**family.extra, **({"vocab_size": rows} if hasattr(kind, "vocab_size") else {}), **changes}
    inner = kind.sub_configs.get("text_config")
    if inner is None:
        del values["model_type"]
        config = kind(**values | {"vision_config": {**vision, **seen}, "audio_config": _AUDIO} | extra)
        return getattr(transformers, f"{family.vlm}ForCausalLM")(config)
    values["model_type"] = text.model_type if inner is transformers.AutoConfig else inner.model_type
    config = kind(text_config=values, vision_config=vision, tie_word_embeddings=tied, **extra)
    return getattr(transformers, f"{family.vlm}ForConditionalGeneration")(config)


def _read(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def _rewrite(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Replace what a folder stores, in two shards."""
    for file in folder.glob("model*.safetensors*"):
        file.unlink()
    places, names = {}, sorted(tensors)
    for shard in (0, 1):
        file = f"model-{shard + 1:05d}-of-00002.safetensors"
        part = {name: tensors[name].contiguous().clone() for name in names[shard::2]}
        save_file(part, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
