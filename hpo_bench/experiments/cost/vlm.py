"""A Qwen2.5-VL of random weights with its base and an expert, on disk: SYNTHETIC, to measure time and memory by."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import without_videos

SHAPES: dict[str, dict[str, Any]] = {
    "1M": {
        "text": {
            "vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3,
            "num_attention_heads": 4, "num_key_value_heads": 2,
        },
        "sections": [6, 5, 5],
        "vision": {
            "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "fullatt_block_indexes": [1],
        },
        "side": 56,
    },
    "7B": {
        "text": {
            "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4,
        },
        "sections": [16, 24, 24],
        "vision": {
            "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
            "fullatt_block_indexes": [7, 15, 23, 31],
        },
        "side": 448,
    },
}  # fmt: skip
"""Of the VLM; "7B" are those of Qwen2.5-VL-7B, and `side` is the pictures', in pixels. vLLM has no attention for heads
narrower than 32 on a CPU."""
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_SPECIAL += ("<|video_pad|>",)
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_CHANGE = 0.02
"""How far VLM and expert are from the base, relative to each tensor's spread."""


def write_pair(folder: Path, shape: str, *, device: str, questions: int, tokens: int, seed: int = 0) -> Pair:
    """Write base, VLM and expert in bfloat16, and questions about pictures of noise.

    Args:
        folder: Where to; it takes the bytes of three models.
        shape: A key of `SHAPES`.
        device: Where the weights are drawn.
        questions: How many are to be asked at every evaluation.
        tokens: How long each answer is.
        seed: Of weights and pictures.
    """
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2Config,
        Qwen2ForCausalLM,
        Qwen2VLImageProcessorPil,
    )

    sizes, words = SHAPES[shape], _tokenizer()
    place = {token: words.convert_tokens_to_ids(token) for token in _SPECIAL}
    text = {**sizes["text"], "tie_word_embeddings": False, "bos_token_id": None}
    text["eos_token_id"] = place["<|im_end|>"]
    whole = Qwen2_5_VLConfig(
        text_config={
            **text, "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e6, "mrope_section": sizes["sections"]
            },
        },
        vision_config={**sizes["vision"], "out_hidden_size": text["hidden_size"]},
        image_token_id=place["<|image_pad|>"], video_token_id=place["<|video_pad|>"],
        vision_start_token_id=place["<|vision_start|>"], vision_end_token_id=place["<|vision_end|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(seed)
    base: Any = _made(Qwen2ForCausalLM, Qwen2Config(**text), device)
    vlm: Any = _made(Qwen2_5_VLForConditionalGeneration, whole, device)
    with torch.no_grad():
        theirs = vlm.model.language_model.state_dict()
        for name, weight in base.state_dict().items():
            own = theirs[name.removeprefix("model.")] if name != "lm_head.weight" else vlm.lm_head.weight
            own.copy_(_moved(weight))
    for role, model in (("vlm", vlm), ("base", base)):
        model.save_pretrained(folder / role)
    with torch.no_grad():
        for weight in base.state_dict().values():
            weight.copy_(_moved(weight))
    base.save_pretrained(folder / "expert")
    for role in ("base", "expert"):
        words.save_pretrained(folder / role)
    kind: Any = without_videos(Qwen2_5_VLProcessor)
    kind(Qwen2VLImageProcessorPil(), words, chat_template=_TEMPLATE).save_pretrained(folder / "vlm")
    # As hubs' files say it: vLLM asks what looks at videos.
    file = folder / "vlm" / "processor_config.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    told["video_processor"] = {"video_processor_type": "Qwen2VLVideoProcessor"}
    file.write_text(json.dumps(told, indent=2), encoding="utf-8")
    write_examples(_examples(questions, sizes["side"], seed), folder / "examples.parquet")
    (folder / "pair.yaml").write_text(
        f"name: synthetic-{shape.lower()}\nbase: base\nvlm: vlm\nexpert: expert\nexamples: examples.parquet\n"
        f"merge: {{dtype: bfloat16}}\nevaluation: {{generate: true, max_new_tokens: {tokens}}}\n",
        encoding="utf-8",
    )
    return Pair.read(folder)


def _made(kind: Any, config: Any, device: str) -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            return kind(config)
    finally:
        torch.set_default_dtype(before)


def _moved(weight: torch.Tensor) -> torch.Tensor:
    spread = weight.float().std().nan_to_num(0.0) if weight.numel() > 1 else 0.0
    return weight + (_CHANGE * spread * torch.randn_like(weight)).to(weight.dtype)


def _tokenizer() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: row for row, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(vocab=letters, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIAL])
    named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, padding_side="left", **named,
        extra_special_tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
    )  # fmt: skip


def _examples(count: int, side: int, seed: int) -> list[Example]:
    """So many on the validation side, and two on the other."""
    from io import BytesIO

    from PIL import Image

    rng, made = np.random.default_rng(seed), []
    for place in range(1000 * count):
        one = Example(f"question-{place}", "all", "<image>\nWhat is shown here?", (), "noise")
        sides = [other.split for other in made]
        if sides.count(one.split) >= {"validation": count, "test": 2}[one.split]:
            if len(made) == count + 2:
                break
            continue
        file = BytesIO()
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, "PNG")
        made.append(Example(one.id, one.category, one.question, (file.getvalue(),), one.answer))
    return made
