"""What training needs to know of an architecture."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast, ProcessorMixin

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.nano.recipes import Size
from hpo_bench.nano.vocabulary import make_tokenizer
from hpo_bench.nano.world import Thing

IMAGE_TOKENS = 4
"""How many tokens a picture becomes, for every architecture."""
CHAT_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% if not loop.last %} {% endif %}"
    "{% endfor %}{% if message['role'] == 'assistant' %} {{ eos_token }}{% else %} {% endif %}{% endfor %}"
)
"""Every nano model was trained on the bare question, then the answer and the end of the text."""
PIXEL_MEAN, PIXEL_STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


class Architecture(ABC):
    """How to build a VLM of some architecture around a language model, and how to reach its parts.

    What is not abstract is as it is where a language model is trained from nothing: one token a word, bare questions.
    """

    __slots__ = ()
    size: Size
    """Of its language model."""
    special_tokens: ClassVar[Mapping[str, str]] = {}
    """What its processor needs beyond everybody's tokens, by the name under which it looks them up."""
    picture: ClassVar[str] = IMAGE
    """What a question says where a picture goes."""
    seen: ClassVar[str] = " ".join([IMAGE] * IMAGE_TOKENS)
    """What the processor makes of that: as many `<image>` as a picture has tokens, and their frame."""
    glue: ClassVar[str] = " "
    """What stands between a prompt, its answer and the end of the text."""

    def tokenizer(self, things: Sequence[Thing], texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """A tokenizer that knows `<image>`, the things' names and the words of the texts."""
        return make_tokenizer(things, texts, further=self.special_tokens)

    def known(self, tokenizer: PreTrainedTokenizerFast, things: Sequence[Thing]) -> tuple[Thing, ...]:
        """The things that pictures can be shown of."""
        return tuple(things)

    def tokens_of(self, tokenizer: PreTrainedTokenizerFast, words: Sequence[str]) -> list[int]:
        """The token that each word is, within a text."""
        vocabulary = tokenizer.get_vocab()
        return [vocabulary[word] for word in words]

    def framed(self, question: str) -> str:
        """The prompt that puts a question."""
        return question

    def tuned(self, model: Any) -> list[torch.nn.Parameter]:
        """What tuning of a language model, alone or in a VLM, changes; nothing else needs a gradient afterwards."""
        return [parameter for parameter in model.parameters() if parameter.requires_grad]

    def text(self, tokenizer: PreTrainedTokenizerFast, *, grouped: bool) -> dict[str, Any]:
        """What a language model's configuration says of its size and vocabulary.

        Args:
            tokenizer: Whose vocabulary it has.
            grouped: Whether two queries share a key and a value.
        """
        return {
            "vocab_size": len(tokenizer),
            "hidden_size": self.size.width,
            "intermediate_size": self.size.feed_forward,
            "num_hidden_layers": self.size.layers,
            "num_attention_heads": self.size.heads,
            "num_key_value_heads": self.size.heads // (2 if grouped else 1),
            "max_position_embeddings": 128,
            "tie_word_embeddings": False,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        }

    @abstractmethod
    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> Any:
        """The text-only language model that is trained first: with fresh weights, or pretrained."""

    @abstractmethod
    def vlm(self, language_model: Any, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A VLM with fresh vision weights around the language model's weights."""

    @abstractmethod
    def processor(self, tokenizer: PreTrainedTokenizerFast) -> ProcessorMixin:
        """The processor that users load next to the VLM."""

    def image_inputs(self, pictures: NDArray) -> dict[str, torch.Tensor]:
        """Model inputs for pictures of shape (n, 24, 24, 3), as the processor makes them."""
        return {"pixel_values": normalised(pictures)}

    def inputs(self, text: Mapping[str, torch.Tensor], pictures: NDArray) -> dict[str, torch.Tensor]:
        """Model inputs for texts with pictures, the latter in the order in which the texts mention them."""
        return {**text, **self.image_inputs(pictures)}

    @abstractmethod
    def patch_states(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Last hidden states of the vision tower, of shape (n, patches, width)."""

    @abstractmethod
    def image_embeddings(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the language model sees, of shape (n, IMAGE_TOKENS, width)."""

    @abstractmethod
    def tower(self, vlm: Any) -> torch.nn.Module:
        """The vision tower."""

    @abstractmethod
    def connector(self, vlm: Any) -> torch.nn.Module:
        """What maps the tower's states to image embeddings."""


def normalised(pictures: NDArray) -> torch.Tensor:
    """Pixels as every tower gets them, of shape (n, 3, height, width)."""
    scaled = (pictures.astype(np.float32) / 255 - np.array(PIXEL_MEAN, np.float32)) / np.array(PIXEL_STD, np.float32)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous()


def around(vlm: Any, language_model: Any, place: str = "language_model") -> Any:
    """The VLM with the language model's weights in the place that its model has for them."""
    getattr(vlm.model, place).load_state_dict(language_model.model.state_dict())
    vlm.lm_head.load_state_dict(language_model.lm_head.state_dict())
    return vlm
