"""Pairs of random weights in known families, with the processors, tokenizers and chat templates that the families ship.

SYNTHETIC: nothing here was trained. What is real is everything through which a question goes: the processor's class and
its image processor, the kind of tokenizer (SentencePiece-like pieces or byte-level ones), special tokens, the chat
template, the padding side and the ends of a turn. Models say their end of turn often, so that answers are short. Their
weights are those of `backbones`, whose families are these.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import backbones
import chat_templates
import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from hpo_bench.evaluation.examples import Example, write_examples
from hpo_bench.merging.engine.mergekit import merge
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import without_videos
from hpo_bench.merging.setting import MergeSetting

WORDS = (
    "the", "a", "red", "blue", "green", "cat", "dog", "house", "tree", "car", "two", "three", "four", "left", "right",
    "up", "down", "is", "of", "and", "what", "where", "which", "how", "many", "colour", "shape", "number", "answer",
    "question", "picture", "first", "second", "describe", "compare", "with", "count", "name", "this", "that", "there",
    "yes", "no",
)  # fmt: skip
TEXTS = [
    " ".join(WORDS),
    *(f"{a} {b} {c}: {b} {a}, {c}?" for a, b, c in zip(WORDS, WORDS[7:], WORDS[19:], strict=False)),
]


@dataclass(frozen=True, slots=True)
class Family:
    """What a family of VLMs ships beside its weights.

    Attributes:
        pieces: "sentencepiece" or "bytes": how its tokenizer cuts words.
        common: Special tokens that its language model has as well; of sentencepiece the first three are unknown, begin
            and end.
        own: Special tokens that the VLM adds.
        named: Those by the names under which processor and tokenizer look them up.
        ends: What ends a turn, as its generation configuration has it.
        template: Its chat template; "" where it has none.
        processor: Its processor's class, and what that is given beside image processor, tokenizer and template.
        images: The image processor's class, and what it is given.
        ids: Values of the VLM's configuration that are tokens' numbers; those of its picture encoder as "vision.".
        config: Further values of it, as the processor wants them; those of its picture encoder under "vision".
        padding_side: Of its tokenizer.
        image: What stands for a picture in a text.
        needs: Packages without which transformers has no such processor.
        evaluation: What its questions need to be answered in few tokens.
        pictured: Whether it takes no question without a picture.
        seed: Of weights that say different things for different questions.
    """

    pieces: str
    common: tuple[str, ...]
    own: tuple[str, ...]
    named: Mapping[str, str]
    ends: tuple[str, ...]
    template: str
    processor: tuple[str, Mapping[str, Any]]
    images: tuple[str, Mapping[str, Any]]
    ids: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    padding_side: str = "left"
    image: str = "<image>"
    needs: tuple[str, ...] = ()
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    pictured: bool = False
    seed: int = 0

    @property
    def missing(self) -> str:
        """Packages that are not here, and without which nothing can be asked."""
        return " and ".join(name for name in self.needs if find_spec(name) is None)


_SQUARE = {"height": 24, "width": 24}
_LLAMA = ("<unk>", "<s>", "</s>")
_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_SENTENCE = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
_BYTES = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_GRID = {"image_grid_pinpoints": [[24, 48], [48, 24]]}
_INDEX = {"image_token_index": "<image>"}
_CLIP = {"patch_size": 12, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
_QWEN_IMAGES = {"patch_size": 6, "temporal_patch_size": 2, "merge_size": 2}
_QWEN_SIZES = {"size": {"shortest_edge": 12**2, "longest_edge": 36**2}}
_QWEN = Family(
    "bytes", _CHATML, ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    _BYTES | {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}, ("<|im_end|>", "<|endoftext|>"),
    chat_templates.QWEN2_VL, ("Qwen2VL", {}), ("Qwen2VL", _QWEN_IMAGES | _QWEN_SIZES),
    {
        "image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>",
    },
    image="<|image_pad|>",
)  # fmt: skip
_QWEN3 = replace(
    _QWEN, template=chat_templates.QWEN3_VL, processor=("Qwen3VL", {}),
    named=_QWEN.named | {"vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>"},
)  # fmt: skip
_PIXTRAL = Family(
    "bytes", _LLAMA, ("[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "<pad>"),
    _SENTENCE | {"pad_token": "<pad>", "image_token": "[IMG]"}, ("</s>",), chat_templates.PIXTRAL,
    ("Pixtral", {"patch_size": 12}),
    ("Pixtral", {"patch_size": {"height": 12, "width": 12}, "size": {"longest_edge": 48}}),
    {"image_token_index": "[IMG]"}, {"vision_feature_select_strategy": "full", "vision_feature_layer": -1},
    image="[IMG]", needs=("torchvision",),
)  # fmt: skip
_IDEFICS = ("<fake_token_around_image>", "<image>", "<end_of_utterance>")
_SPLIT = tuple(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2))
_IDEFICS3 = Family(
    "bytes", ("<|begin_of_text|>", "<|end_of_text|>"), (*_IDEFICS, "<global-img>", *_SPLIT),
    {"bos_token": "<|begin_of_text|>", "eos_token": "<end_of_utterance>", "pad_token": "<|end_of_text|>"},
    ("<|end_of_text|>", "<end_of_utterance>"), chat_templates.IDEFICS3, ("Idefics3", {"image_seq_len": 1}),
    ("Idefics3", {"size": {"longest_edge": 48}, "max_image_size": {"longest_edge": 24}}), {"image_token_id": "<image>"},
)  # fmt: skip
_GEMMA = ("<unk>", "<bos>", "<eos>")
_GEMMA_NAMES = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
_PALIGEMMA = Family(
    "sentencepiece", _GEMMA, ("<pad>", "<image>"), _GEMMA_NAMES | {"image_token": "<image>"}, ("<eos>",), "",
    ("PaliGemma", {}), ("Siglip", {"size": _SQUARE, "image_seq_length": 4}), _INDEX, pictured=True,
)  # fmt: skip
_COHERE = ("<UNK>", "<BOS_TOKEN>", "<EOS_TOKEN>", "<PAD>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>")
_COHERE += ("<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>")
_COHERE_IMAGES = ("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>")
_COHERE_NAMES = {"unk_token": "<UNK>", "bos_token": "<BOS_TOKEN>", "pad_token": "<PAD>"}
_COHERE_NAMES |= {"eos_token": "<|END_OF_TURN_TOKEN|>"}
_GLM = Family(
    "bytes", ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"),
    ("<|begin_of_image|>", "<|end_of_image|>", "<|image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|video|>"),
    {
        "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "image_token": "<|image|>",
        "video_token": "<|video|>",
    },
    ("<|endoftext|>", "<|user|>"), chat_templates.GLM4V, ("Glm4v", {}), ("Glm4v", _QWEN_IMAGES | _QWEN_SIZES),
    {
        "image_token_id": "<|image|>", "video_token_id": "<|video|>", "image_start_token_id": "<|begin_of_image|>",
        "image_end_token_id": "<|end_of_image|>", "video_start_token_id": "<|begin_of_video|>",
        "video_end_token_id": "<|end_of_video|>",
    },
    image="<|image|>",
)  # fmt: skip
FAMILIES: dict[str, Family] = {
    "llava": Family(
        "sentencepiece", _LLAMA, ("<image>", "<pad>"), _SENTENCE | {"pad_token": "<pad>", "image_token": "<image>"},
        ("</s>",), chat_templates.LLAVA, ("Llava", _CLIP),
        ("CLIP", {"size": {"shortest_edge": 24}, "crop_size": _SQUARE}),
        _INDEX,
    ),
    "llava-next": Family(
        "sentencepiece", _LLAMA, ("<image>", "<pad>"), _SENTENCE | {"pad_token": "<pad>", "image_token": "<image>"},
        ("</s>",), chat_templates.LLAVA_NEXT, ("LlavaNext", _CLIP),
        ("LlavaNext", {"size": {"shortest_edge": 24}, "crop_size": _SQUARE} | _GRID), _INDEX,
    ),
    "llava-onevision": Family(
        "bytes", _CHATML, ("<image>", "<video>"), _BYTES | {"image_token": "<image>", "video_token": "<video>"},
        ("<|im_end|>",), chat_templates.LLAVA_ONEVISION,
        ("LlavaOnevision", {"num_image_tokens": 4, "vision_feature_select_strategy": "full"}),
        ("LlavaOnevision", {"size": _SQUARE} | _GRID), _INDEX | {"video_token_index": "<video>"},
    ),
    "pixtral": _PIXTRAL,
    "mistral3": replace(
        _PIXTRAL, own=(*_PIXTRAL.own, "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"), template=chat_templates.MISTRAL3,
        processor=("Pixtral", {"patch_size": 6, "spatial_merge_size": 2}),
        images=("Pixtral", {"patch_size": {"height": 6, "width": 6}, "size": {"longest_edge": 48}}),
        config={"vision_feature_layer": -1, "vision": {"patch_size": 6}},
    ),
    "qwen2-vl": _QWEN,
    "qwen2.5-vl": replace(_QWEN, processor=("Qwen2_5_VL", {})),
    "qwen3-vl": _QWEN3,
    "qwen3.5": replace(
        _QWEN3, common=(*_CHATML, "<think>", "</think>"), template=chat_templates.QWEN3_5,
        evaluation={"enable_thinking": False},
    ),
    "internvl": Family(
        "bytes", _CHATML, ("<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        _BYTES | {
            "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        ("<|im_end|>",), chat_templates.INTERNVL, ("InternVL", {"image_seq_length": 4}),
        ("GotOcr2", {"size": _SQUARE, "crop_to_patches": False}), {"image_token_id": "<IMG_CONTEXT>"},
        image="<IMG_CONTEXT>",
    ),
    "idefics2": Family(
        "sentencepiece", _LLAMA, _IDEFICS,
        _SENTENCE | {
            "pad_token": "<unk>", "image_token": "<image>", "image_boundary_token": "<fake_token_around_image>",
            "end_of_utterance_token": "<end_of_utterance>",
        },
        ("</s>", "<end_of_utterance>"), chat_templates.IDEFICS2, ("Idefics2", {"image_seq_len": 4}),
        ("Idefics2", {"do_image_splitting": False, "size": {"shortest_edge": 12, "longest_edge": 24}}),
        {"image_token_id": "<image>"}, padding_side="right",
    ),
    "idefics3": _IDEFICS3,
    "smolvlm": replace(
        _IDEFICS3, common=_CHATML, own=(*_IDEFICS3.own, "<video>"), ends=("<|im_end|>", "<end_of_utterance>"),
        template=chat_templates.SMOLVLM,
        named={"bos_token": "<|im_start|>", "eos_token": "<end_of_utterance>", "pad_token": "<|im_end|>"},
        processor=("SmolVLM", {"image_seq_len": 1}), images=("SmolVLM", _IDEFICS3.images[1]), needs=("num2words",),
    ),
    "gemma3": Family(
        "sentencepiece", _GEMMA,
        ("<pad>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        _GEMMA_NAMES | {
            "image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
        },
        ("<eos>", "<end_of_turn>"), chat_templates.GEMMA3, ("Gemma3", {"image_seq_length": 4}),
        ("Gemma3", {"size": _SQUARE}),
        {
            "image_token_index": "<image_soft_token>", "boi_token_index": "<start_of_image>",
            "eoi_token_index": "<end_of_image>",
        },
        image="<start_of_image>",
    ),
    "gemma4": Family(
        "sentencepiece", _GEMMA,
        (
            "<pad>", "<|turn>", "<turn|>", "<|image>", "<image|>", "<|image|>", "<|video|>", "<|audio>", "<audio|>",
            "<|audio|>",
        ),
        _GEMMA_NAMES | {
            "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>",
            "boa_token": "<|audio>", "eoa_token": "<audio|>",
        },
        ("<eos>", "<turn|>"), chat_templates.GEMMA4, ("Gemma4", {"image_seq_length": 70}),
        ("Gemma4", {"patch_size": 2, "max_soft_tokens": 70}),
        {
            "image_token_id": "<|image|>", "boi_token_id": "<|image>", "eoi_token_id": "<image|>",
            "video_token_id": "<|video|>", "audio_token_id": "<|audio|>",
        },
        {"vision": {"patch_size": 2, "num_key_value_heads": 2, "head_dim": 8, "position_embedding_size": 64}},
        image="<|image|>", seed=1,
    ),
    "paligemma": _PALIGEMMA,
    "paligemma2": _PALIGEMMA,
    "aya-vision": Family(
        "bytes", _COHERE, (*_COHERE_IMAGES, "<image>", "TILE", "TILE_GLOBAL"), _COHERE_NAMES,
        ("<|END_OF_TURN_TOKEN|>",),
        chat_templates.COHERE, ("AyaVision", {"patch_size": 12, "img_size": 24, "downsample_factor": 2}),
        ("GotOcr2", {"size": _SQUARE, "crop_to_patches": True, "max_patches": 2}),
        {"image_token_index": "<|IMG_PATCH|>"}, {"downsample_factor": 2}, seed=2,
    ),
    "cohere2-vision": Family(
        "bytes", _COHERE, _COHERE_IMAGES,
        _COHERE_NAMES | {
            "boi_token": "<|START_OF_IMG|>", "eoi_token": "<|END_OF_IMG|>", "image_token": "<|IMG_PATCH|>",
            "img_line_break_token": "<|IMG_LINE_BREAK|>",
        },
        ("<|END_OF_TURN_TOKEN|>",), chat_templates.COHERE2_VISION, ("Cohere2Vision", {}),
        ("Cohere2Vision", {"size": {"height": 8, "width": 8}, "patch_size": 2, "max_patches": 2}),
        {"image_token_id": "<|IMG_PATCH|>"}, {"vision": {"patch_size": 2, "image_size": 8}}, image="<|IMG_PATCH|>",
        needs=("torchvision",),
    ),
    "lfm2-vl": Family(
        "bytes", ("<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        ("<image>", "<|image_start|>", "<|image_end|>", "<|img_thumbnail|>"),
        {
            "bos_token": "<|startoftext|>", "eos_token": "<|im_end|>", "pad_token": "<|pad|>", "image_token": "<image>",
            "image_start_token": "<|image_start|>", "image_end_token": "<|image_end|>",
            "image_thumbnail": "<|img_thumbnail|>",
        },
        ("<|im_end|>",), chat_templates.LFM2_VL, ("Lfm2Vl", {}),
        ("Lfm2Vl", {
            "do_image_splitting": False, "encoder_patch_size": 4, "min_image_tokens": 4, "max_image_tokens": 16,
            "tile_size": 32, "size": {"height": 32, "width": 32},
        }),
        {"image_token_id": "<image>"}, {"vision": {"patch_size": 4, "num_patches": 64}}, needs=("torchvision",),
        seed=2,
    ),
    "glm4v": _GLM,
    "ovis2": Family(
        "bytes", _CHATML, ("<image>", "<IMG_ATOM>", "<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"),
        _BYTES | {"image_token": "<image>"}, ("<|im_end|>",), chat_templates.OVIS2, ("Ovis2", {"image_seq_length": 4}),
        ("Ovis2", {"size": _SQUARE, "crop_to_patches": False}),
        {
            "image_token_id": "<IMG_ATOM>",
            "visual_indicator_token_ids": ["<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"],
        },
    ),
    "mllama": Family(
        "bytes", ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        ("<|image|>", "<|python_tag|>", "<|finetune_right_pad_id|>"),
        {
            "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|finetune_right_pad_id|>",
            "image_token": "<|image|>",
        },
        ("<|eot_id|>", "<|end_of_text|>"), chat_templates.MLLAMA, ("Mllama", {}),
        ("Mllama", {"size": _SQUARE, "max_image_tiles": 1}), {"image_token_index": "<|image|>"}, image="<|image|>",
    ),
    "phi4-multimodal": Family(
        "bytes", ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"), ("<|image|>", "<|audio|>"),
        {
            "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
            "image_token": "<|image|>", "audio_token": "<|audio|>",
        },
        ("<|endoftext|>", "<|end|>"), chat_templates.PHI4_MULTIMODAL, ("Phi4Multimodal", {}),
        ("Phi4Multimodal", {"size": {"height": 64, "width": 64}, "patch_size": 2, "dynamic_hd": 2}),
        {"vision.image_token_id": "<|image|>"},
        # Its processor counts on 32 patches a side.
        {
            "vision": {"image_size": 64, "crop_size": 64, "patch_size": 2}, "max_position_embeddings": 4096,
            "original_max_position_embeddings": 4096,
        },
        image="<|image|>", needs=("torchvision",),
    ),
    "qwen3-vl-moe": _QWEN3,
    "glm4v-moe": _GLM,
}  # fmt: skip
"""By the names of `backbones.FAMILIES`."""


def tokenizer(family: Family, role: str = "vlm") -> PreTrainedTokenizerFast:
    """The tokenizer of a VLM of the family, or of its language model: role "vlm", "base" or "expert"."""
    special = [*family.common, *(family.own if role == "vlm" else ())]
    if family.pieces == "sentencepiece":
        inner = Tokenizer(models.BPE(unk_token=family.common[0], fuse_unk=True, byte_fallback=False))
        inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        alphabet = [*map(chr, range(33, 127)), "▁", "\n", "こ", "れ", "何"]
        inner.train_from_iterator(
            TEXTS,
            trainers.BpeTrainer(
                vocab_size=220, special_tokens=list(family.common), initial_alphabet=alphabet, show_progress=False
            ),
        )
        inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        begin = family.common[1]
        inner.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, inner.token_to_id(begin))]
        )
    else:
        inner = Tokenizer(models.BPE())
        split = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
        inner.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(split, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        inner.train_from_iterator(
            TEXTS,
            trainers.BpeTrainer(
                vocab_size=330, special_tokens=list(family.common), initial_alphabet=alphabet, show_progress=False
            ),
        )
        inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    usual = ("unk_token", "bos_token", "eos_token", "pad_token")
    known = {name: token for name, token in family.named.items() if token in special}
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        padding_side=family.padding_side,
        extra_special_tokens={name: token for name, token in known.items() if name not in usual},
        **{name: known.get(name) for name in usual if name in known},
    )


def processor(name: str) -> Any:
    """The processor of a family at the size of its random models, which look at pictures of 24 x 24 pixels."""
    family = FAMILIES[name]
    (kind, given), (images, drawn) = family.processor, family.images
    pil = getattr(transformers, f"{images}ImageProcessorPil", None)
    look = getattr(transformers, f"{images}ImageProcessor") if pil is None else pil
    return without_videos(getattr(transformers, f"{kind}Processor"))(
        image_processor=look(**drawn), tokenizer=tokenizer(family), **given,
        **({"chat_template": family.template} if family.template else {}),
        **({"feature_extractor": transformers.Gemma4AudioFeatureExtractor()} if kind == "Gemma4" else {}),
        **({"audio_processor": transformers.Phi4MultimodalFeatureExtractor()} if kind == "Phi4Multimodal" else {}),
    )  # fmt: skip


def build(
    folder: Path, name: str, *, tied: bool = False, layout: str = "hub", noise: float = 0.06, seed: int | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Path:  # fmt: skip
    """Write base, VLM (with its processor) and expert of a family, and a `pair.yaml`.

    Args:
        folder: Where to.
        name: A key of `FAMILIES`.
        tied: Whether embeddings are tied, in all three.
        layout: As `backbones.build` takes it; in memory a tied head is stored as well.
        noise: How far VLM and expert are from the base, relative to each tensor's spread.
        seed: Of the weights; the family's own by default.
        dtype: In which they are stored; in the first precision answers do not hang on who shares a batch.
    """
    family, shape = FAMILIES[name], backbones.FAMILIES[name]
    torch.manual_seed(family.seed if seed is None else seed)
    own = processor(name)
    tokenizers = {
        role: own.tokenizer if role == "vlm" else tokenizer(family, role) for role in ("base", "vlm", "expert")
    }
    rows = {role: len(words) for role, words in tokenizers.items()}
    numbers = {
        key: tokenizers["vlm"].convert_tokens_to_ids(token if isinstance(token, str) else list(token))
        for key, token in family.ids.items()
    }
    base, expert = (backbones.language_model(shape, rows[role], tied) for role in ("base", "expert"))
    changes: dict[str, Any] = {**numbers, **family.config}
    for key in [key for key in changes if "." in key]:
        outer, _, inner = key.partition(".")
        changes[outer] = {**changes.get(outer, {}), inner: changes.pop(key)}
    vlm = backbones.vision_language_model(shape, rows["vlm"] + backbones.PADDING_ROWS, tied, changes)
    ends = [tokenizers["vlm"].convert_tokens_to_ids(token) for token in family.ends]
    with torch.no_grad():
        state = {key: _spread(key, weight) for key, weight in base.state_dict().items()}
        for role, model in (("base", base), ("expert", expert), ("vlm", vlm)):
            live = model.state_dict()
            for key, weight in state.items():
                if tied and key == "lm_head.weight":
                    continue
                target = live[backbones.in_vlm(shape, key) if role == "vlm" else key]
                source = target.clone()
                # The VLM's further rows keep their own values.
                source[tuple(map(slice, weight.shape))] = weight
                if role != "base":
                    source += noise * weight.float().std().nan_to_num(0.0) * torch.randn_like(source)
                target.copy_(source)
        for role, model in (("base", base), ("vlm", vlm), ("expert", expert)):
            # Of random logits those with the widest spread are often the largest: ends most often, then words.
            head = model.get_output_embeddings()
            for token, row in tokenizers[role].get_vocab().items():
                head.weight[row] *= 3.0 if row in ends else 1.0 if token.strip("▁Ġ") in WORDS[2:] else 0.5
    for role, model in (("base", base), ("vlm", vlm), ("expert", expert)):
        words = tokenizers[role]
        known = [end for end in ends if end < rows[role]]
        model.generation_config.eos_token_id = known if len(known) > 1 else known[0]
        model.generation_config.pad_token_id = tokenizers["vlm"].pad_token_id
        model.generation_config.bos_token_id = words.bos_token_id
        words.save_pretrained(folder / role)
    backbones.save(
        folder, shape, {"base": base, "vlm": vlm, "expert": expert}, layout=layout, tied=tied, alias=True, dtype=dtype
    )
    own.save_pretrained(folder / "vlm")
    _published_as(folder / "vlm")
    (folder / "pair.yaml").write_text(
        f"name: {name.replace('.', '-')}\nbase: base\nvlm: vlm\nexpert: expert\nexamples: examples.parquet\n"
    )
    write_examples(examples(60, pictured=family.pictured), folder / "examples.parquet")
    return folder


def with_truth(
    folder: Path, name: str, setting: MergeSetting, *, count: int = 24, seed: int = 0, forced: bool = False
) -> Path:
    """Make what a merge answers the right answers of a pair's examples, so that its score is known to be 1.

    The merge is the reference engine's and answers by `generate`, one question at a time, through the processor's own
    way from messages to tensors; the pair's evaluation compares texts, or asks by teacher forcing. An answer counts if
    it says something, and for teacher forcing if it ends and is cut into the same tokens again when it is read.

    Args:
        folder: What `build` wrote.
        name: A key of `FAMILIES`.
        setting: The merge.
        count: How many examples.
        seed: Of the questions.
        forced: Whether the metric is teacher-forced exact match.
    """
    family, loaded = FAMILIES[name], LoadedPair.load(Pair.read(folder))
    loaded.write_language(merge(loaded, setting, mask_seed=0))
    words, ends = loaded.processor.tokenizer, loaded.vlm.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    kept: list[Example] = []
    for example in examples(20 * count, seed=seed, pictured=family.pictured):
        inputs = _published_way(loaded.processor, family, example)
        with torch.inference_mode():
            tokens = loaded.vlm.generate(**inputs, max_new_tokens=4, do_sample=False)
        asked = inputs["input_ids"].shape[1]
        said = tokens[0, asked:].tolist()
        text = words.decode(said, skip_special_tokens=True).strip()
        again = not forced or (said[-1] in ends and words(text, add_special_tokens=False)["input_ids"] == said[:-1])
        if text and again:
            kept.append(replace(example, id=_on_a_side(len(kept)), answer=text))
        if len(kept) == count:
            break
    assert len(kept) == count, f"of {20 * count} answers {len(kept)} can be read again"
    write_examples(kept, folder / "examples.parquet")
    said = {} if forced else {"generate": True, "max_new_tokens": 4, **family.evaluation}
    with (folder / "pair.yaml").open("a") as file:
        file.write(f"evaluation: {json.dumps(said)}\n")
    return folder


def _published_way(processor: Any, family: Family, example: Example) -> dict[str, torch.Tensor]:
    """What transformers' own documentation does to ask a question."""
    shown = [Image.open(BytesIO(data)).convert("RGB") for data in example.images]
    text = example.question.split("\n")[-1]
    if not family.template:
        made = processor(text=["<image>" * len(shown) + text], images=[shown], return_tensors="pt")
        return {key: value for key, value in made.items() if key != "labels"}
    parts = [*({"type": "image", "image": one} for one in shown), {"type": "text", "text": text}]
    if processor.chat_template is None:  # one whose constructor does not name it loses it when it is loaded
        messages = [{"role": "user", "content": parts}]
        text = processor.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return processor(text=text, images=shown or None, return_tensors="pt")
    return processor.apply_chat_template(
        [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt", **family.evaluation,
    )  # fmt: skip


def examples(count: int, *, seed: int = 0, pictured: bool = False) -> tuple[Example, ...]:
    """SYNTHETIC questions of different lengths about none, one or two pictures of different modes; answers made up.

    Args:
        count: How many.
        seed: Of words and pictures.
        pictured: Whether none is without a picture.
    """
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        many = (1, 1, 1, 1 if pictured else 0, 2)[i % 5]
        pictures = tuple(picture(rng, MODES[int(rng.integers(len(MODES)))]) for _ in range(many))
        words = [WORDS[int(j)] for j in rng.integers(len(WORDS), size=int(rng.integers(2, 12)))]
        text = "<image>\n" * len(pictures) + " ".join(words) + "?"
        made.append(Example(f"example-{i}", "skill" if i % 2 else "general", text, pictures, WORDS[i % len(WORDS)]))
    return tuple(made)


def _on_a_side(place: int) -> str:
    """An id that puts every other example on the validation side: few must do."""
    side = "validation" if place % 2 else "test"
    names = (f"example-{place}-{i}" for i in range(1000))
    return next(name for name in names if Example(name, "", "", (), "").split == side)


MODES = ("RGB", "RGBA", "P", "LA", "L", "1", "CMYK")


def picture(rng: np.random.Generator, mode: str = "RGB", *, side: int = 24) -> bytes:
    """A picture of noise in coarse blocks, of some mode, as a file of PNG (CMYK: of JPEG)."""
    blocks = rng.integers(0, 256, size=(3, 3, 3), dtype=np.uint8)
    drawn = Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST).convert(mode)
    file = BytesIO()
    drawn.save(file, "JPEG" if mode == "CMYK" else "PNG")
    return file.getvalue()


def _spread(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Weights with which random layers say different things for different questions."""
    if name.endswith("bias"):
        return 0.1 * torch.randn_like(weight)
    louder = 4.0 if name.endswith(("o_proj.weight", "out_proj.weight")) else 1.0  # the last token is always the same
    return weight if weight.dim() < 2 else louder * weight / weight.std() * weight.shape[-1] ** -0.5


def _published_as(folder: Path) -> None:
    """Say what looks at videos, as the files of a hub do: with torchvision transformers wants to know."""
    path = folder / "processor_config.json"
    content = json.loads(path.read_text())
    if "Qwen" in content["processor_class"]:
        videos = {"video_processor_type": "Qwen2VLVideoProcessor", "patch_size": 6, "merge_size": 2}
        path.write_text(json.dumps({**content, "video_processor": videos}, indent=2))
