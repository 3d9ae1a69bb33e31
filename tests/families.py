"""Pairs of random weights in known families, with the processors, tokenizers and chat templates that the families ship.

SYNTHETIC: nothing here was trained. What is real is everything through which a question goes: the processor's class and
its image processor, the kind of tokenizer (SentencePiece-like pieces or byte-level ones), special tokens, the chat
template, the padding side and the ends of a turn. Models say their end of turn often, so that answers are short.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import random_models
import torch
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessorPil,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    GotOcr2ImageProcessorPil,
    Idefics2ImageProcessorPil,
    Idefics2Processor,
    InternVLProcessor,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen3VLProcessor,
)

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

LLAVA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
LLAVA_NEXT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>\n' + message['content'][0]['text'] + "
    "'\n<</SYS>>\n\n' }}{% elif message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'][0]['text'] + '</s> ' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
QWEN_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}"
    "<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in "
    "content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IDEFICS2_TEMPLATE = (
    "{% for message in messages %}{{message['role'].capitalize()}}{% if message['content'][0]['type'] == 'image' %}"
    "{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}"
    "{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
GEMMA3_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else "
    "message['role'] %}{{ '<start_of_turn>' + role + '\n' }}{% if message['content'] is string %}"
    "{{ message['content'] | trim }}{% else %}{% for item in message['content'] %}{% if item['type'] == 'image' %}"
    "{{ '<start_of_image>' }}{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}"
    "{% endif %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
INTERNVL_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PIXTRAL_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST]' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for block in message['content'] %}"
    "{% if block['type'] == 'text' %}{{ block['text'] }}{% elif block['type'] == 'image' %}{{ '[IMG]' }}{% endif %}"
    "{% endfor %}{% endif %}{{ '[/INST]' }}{% else %}{{ message['content'] if message['content'] is string else "
    "message['content'][0]['text'] }}{{ eos_token }}{% endif %}{% endfor %}"
)


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
        template: Its chat template.
        padding_side: Of its tokenizer.
        image: What stands for a picture in a text.
    """

    pieces: str
    common: tuple[str, ...]
    own: tuple[str, ...]
    named: dict[str, str]
    ends: tuple[str, ...]
    template: str
    padding_side: str
    image: str = "<image>"


_LLAMA = ("<unk>", "<s>", "</s>")
_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_SENTENCE = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
_BYTES = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_QWEN = Family(
    "bytes", _CHATML, ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    _BYTES | {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
    ("<|im_end|>", "<|endoftext|>"), QWEN_TEMPLATE, "left", "<|image_pad|>",
)  # fmt: skip
FAMILIES: dict[str, Family] = {
    "llava": Family(
        "sentencepiece", _LLAMA, ("<image>", "<pad>"), _SENTENCE | {"pad_token": "<pad>", "image_token": "<image>"},
        ("</s>",), LLAVA_TEMPLATE, "left",
    ),
    "llava_next": Family(
        "sentencepiece", _LLAMA, ("<image>", "<pad>"), _SENTENCE | {"pad_token": "<pad>", "image_token": "<image>"},
        ("</s>",), LLAVA_NEXT_TEMPLATE, "left",
    ),
    "qwen2_vl": _QWEN,
    "qwen2_5_vl": _QWEN,
    "idefics2": Family(
        "sentencepiece", _LLAMA, ("<fake_token_around_image>", "<image>", "<end_of_utterance>"),
        _SENTENCE | {
            "pad_token": "<unk>", "image_token": "<image>", "image_boundary_token": "<fake_token_around_image>",
            "end_of_utterance_token": "<end_of_utterance>",
        },
        ("</s>", "<end_of_utterance>"), IDEFICS2_TEMPLATE, "right",
    ),
}  # fmt: skip
"""Families whose pairs merge; see `build`."""
PROMPTED: dict[str, Family] = {
    "gemma3": Family(
        "sentencepiece", ("<unk>", "<bos>", "<eos>"),
        ("<pad>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        {
            "unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>",
            "image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
        },
        ("<eos>", "<end_of_turn>"), GEMMA3_TEMPLATE, "left", "<start_of_image>",
    ),
    "internvl": Family(
        "bytes", _CHATML, ("<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        _BYTES | {
            "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        ("<|im_end|>",), INTERNVL_TEMPLATE, "left", "<IMG_CONTEXT>",
    ),
    "qwen3_vl": replace(
        _QWEN, named=_QWEN.named | {"vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>"}
    ),
}  # fmt: skip
"""Further families, of which there are processors alone; see `processor`. Pixtral's need torchvision."""


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
    family = (FAMILIES | PROMPTED)[name]
    words, template = tokenizer(family), family.template
    square = {"height": 24, "width": 24}
    if name == "llava":
        images = CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=square)
        return LlavaProcessor(
            images, words, patch_size=12, vision_feature_select_strategy="default", chat_template=template,
            num_additional_image_tokens=1,
        )  # fmt: skip
    if name == "llava_next":
        images = LlavaNextImageProcessorPil(
            size={"shortest_edge": 24}, crop_size=square, image_grid_pinpoints=[[24, 48], [48, 24]]
        )
        return LlavaNextProcessor(
            images, words, patch_size=12, vision_feature_select_strategy="default", chat_template=template,
            num_additional_image_tokens=1,
        )  # fmt: skip
    if name == "idefics2":
        images = Idefics2ImageProcessorPil(do_image_splitting=False, size={"shortest_edge": 12, "longest_edge": 24})
        return Idefics2Processor(images, words, image_seq_len=4, chat_template=template)
    if name == "gemma3":
        images = Gemma3ImageProcessorPil(size=square)
        return Gemma3Processor(images, words, image_seq_length=4, chat_template=template)
    if name == "internvl":
        images = GotOcr2ImageProcessorPil(size=square, crop_to_patches=False)
        return without_videos(InternVLProcessor)(images, words, image_seq_length=4, chat_template=template)
    images = Qwen2VLImageProcessorPil(
        patch_size=6, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 12**2, "longest_edge": 36**2}
    )
    kind = {"qwen2_vl": Qwen2VLProcessor, "qwen2_5_vl": Qwen2_5_VLProcessor, "qwen3_vl": Qwen3VLProcessor}[name]
    return without_videos(kind)(images, words, chat_template=template)


def build(folder: Path, name: str, *, tied: bool = False, noise: float = 0.06, seed: int = 0) -> Path:
    """Write base, VLM (with its processor) and expert of a family, and a `pair.yaml`.

    Args:
        folder: Where to.
        name: A key of `FAMILIES`.
        tied: Whether embeddings are tied, in all three.
        noise: How far VLM and expert are from the base, relative to each tensor's spread.
        seed: Of the weights.
    """
    family = FAMILIES[name]
    torch.manual_seed(seed)
    tokenizers = {role: tokenizer(family, role) for role in ("base", "vlm", "expert")}
    widths = random_models.Widths(layers=3)
    rows = {role: len(words) for role, words in tokenizers.items()}
    rows["vlm"] += random_models.PADDING_ROWS
    backbone = random_models.BACKBONE[name]
    base = random_models.language_model(backbone, widths, rows["base"], tied)
    expert = random_models.language_model(backbone, widths, rows["expert"], tied)
    vlm = random_models.vision_language_model(
        name, random_models.language_model(backbone, widths, rows["vlm"], tied), widths, _as_ids(tokenizers["vlm"])
    )
    inner = vlm.model.text_model if name == "idefics2" else vlm.model.language_model
    ends = [tokenizers["vlm"].convert_tokens_to_ids(token) for token in family.ends]
    with torch.no_grad():
        state = {name: _spread(name, weight) for name, weight in base.state_dict().items()}
        live = {"expert": expert.state_dict(), "base": base.state_dict()}
        live["vlm"] = {f"model.{key}": weight for key, weight in inner.state_dict().items()}
        live["vlm"]["lm_head.weight"] = vlm.lm_head.weight
        for role, target in live.items():
            for key, weight in state.items():
                if tied and key == "lm_head.weight":
                    continue
                source = target[key].clone()
                source[: len(weight)] = weight  # the VLM's further rows keep their own values
                if role != "base":
                    source += noise * weight.float().std().nan_to_num(0.0) * torch.randn_like(source)
                target[key].copy_(source)
        for role, head in (("base", base.lm_head), ("vlm", vlm.lm_head), ("expert", expert.lm_head)):
            # Of random logits those with the widest spread are often the largest: ends most often, then words.
            for token, row in tokenizers[role].get_vocab().items():
                head.weight[row] *= 3.0 if row in ends else 1.0 if token.strip("▁Ġ") in WORDS[2:] else 0.5
    for role, model in (("base", base), ("vlm", vlm), ("expert", expert)):
        words = tokenizers[role]
        known = [end for end in ends if end < rows[role]]
        model.generation_config.eos_token_id = known if len(known) > 1 else known[0]
        model.generation_config.pad_token_id = tokenizers["vlm"].pad_token_id
        model.generation_config.bos_token_id = words.bos_token_id
        model.to(torch.bfloat16).save_pretrained(folder / role, max_shard_size="60KB")
        words.save_pretrained(folder / role)
    processor(name).save_pretrained(folder / "vlm")
    _published_as(folder / "vlm")
    (folder / "pair.yaml").write_text(
        f"name: {name.replace('_', '-')}\nbase: base\nvlm: vlm\nexpert: expert\nexamples: examples.parquet\n"
    )
    write_examples(examples(60), folder / "examples.parquet")
    return folder


def with_truth(folder: Path, setting: MergeSetting, *, count: int = 40, seed: int = 0, forced: bool = False) -> Path:
    """Make what a merge answers the right answers of a pair's examples, so that its score is known to be 1.

    The merge is the reference engine's and answers by `generate`, one question at a time, through the processor's own
    template; the pair's evaluation compares texts, or asks by teacher forcing. An answer counts if it says something,
    and for teacher forcing if it ends and is cut into the same tokens again when it is read.

    Args:
        folder: What `build` wrote.
        setting: The merge.
        count: How many examples.
        seed: Of the questions.
        forced: Whether the metric is teacher-forced exact match.
    """
    loaded = LoadedPair.load(Pair.read(folder))
    loaded.write_language(merge(loaded, setting, mask_seed=0))
    words, ends = loaded.processor.tokenizer, loaded.vlm.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    kept: list[Example] = []
    for example in examples(20 * count, seed=seed):
        parts = [{"type": "image"}] * len(example.images)
        asked = {"role": "user", "content": [*parts, {"type": "text", "text": example.question.split("\n")[-1]}]}
        prompt = loaded.processor.apply_chat_template([asked], add_generation_prompt=True, tokenize=False)
        images = [[Image.open(BytesIO(data)).convert("RGB") for data in example.images]] if parts else None
        inputs = loaded.processor(text=[prompt], images=images, return_tensors="pt")
        with torch.inference_mode():
            tokens = loaded.vlm.generate(**inputs, max_new_tokens=4, do_sample=False)
        said = tokens[0, inputs["input_ids"].shape[1] :].tolist()
        text = words.decode(said, skip_special_tokens=True).strip()
        told = {"role": "assistant", "content": [{"type": "text", "text": text}]}
        whole = words(loaded.processor.apply_chat_template([asked, told], tokenize=False))["input_ids"]
        read = [*words(prompt)["input_ids"], *said[:-1]]
        again = whole[: len(read)] == read or words(text, add_special_tokens=False)["input_ids"] == said[:-1]
        if text and (not forced or (said[-1] in ends and again)):
            kept.append(replace(example, id=_on_a_side(len(kept)), answer=text))
        if len(kept) == count:
            break
    assert len(kept) == count, f"of {20 * count} answers {len(kept)} can be read again"
    write_examples(kept, folder / "examples.parquet")
    if not forced:
        with (folder / "pair.yaml").open("a") as file:
            file.write("evaluation: {generate: true, max_new_tokens: 4}\n")
    return folder


def examples(count: int, *, seed: int = 0) -> tuple[Example, ...]:
    """SYNTHETIC questions of different lengths about none, one or two pictures of different modes; answers made up."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        pictures = tuple(picture(rng, MODES[int(rng.integers(len(MODES)))]) for _ in range((1, 1, 1, 0, 2)[i % 5]))
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
    return weight if weight.dim() < 2 else weight / weight.std() * weight.shape[1] ** -0.5


def _as_ids(words: PreTrainedTokenizerFast) -> Sequence[str]:
    """The vocabulary by row, special tokens of pictures under the names that `random_models` knows."""
    names = {"<|image_pad|>": "<image>", "<|video_pad|>": "<video>"}
    names |= {"<|vision_start|>": "<vision_start>", "<|vision_end|>": "<vision_end>"}
    vocabulary = words.get_vocab()
    return [names.get(token, token) for token in sorted(vocabulary, key=vocabulary.__getitem__)]


def _published_as(folder: Path) -> None:
    """Say what looks at videos, as the files of a hub do: with torchvision transformers wants to know."""
    path = folder / "processor_config.json"
    content = json.loads(path.read_text())
    if "Qwen" in content["processor_class"]:
        videos = {"video_processor_type": "Qwen2VLVideoProcessor", "patch_size": 6, "merge_size": 2}
        path.write_text(json.dumps({**content, "video_processor": videos}, indent=2))
