"""What training needs to know of an architecture."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

from hpo_bench.nano.recipe import Size
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


class Architecture(Protocol):
    """How to build a VLM of some architecture around a language model, and how to reach its parts."""

    @property
    def size(self) -> Size:
        """Of its language model."""
        ...

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """Tokens that its processor needs beyond everybody's, by the name under which it looks them up."""
        ...

    @property
    def picture(self) -> str:
        """What a question says where a picture goes."""
        ...

    @property
    def seen(self) -> str:
        """What the processor makes of that: as many `<image>` as a picture has tokens, and their frame."""
        ...

    @property
    def glue(self) -> str:
        """What stands between a prompt, its answer and the end of the text."""
        ...

    def tokenizer(self, things: Sequence[Thing], texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """A tokenizer that knows `<image>`, the things' names and the words of the texts."""
        ...

    def known(self, tokenizer: PreTrainedTokenizerFast, things: Sequence[Thing]) -> tuple[Thing, ...]:
        """The things that pictures can be shown of."""
        ...

    def tokens_of(self, tokenizer: PreTrainedTokenizerFast, words: Sequence[str]) -> list[int]:
        """The token that each word is, within a text."""
        ...

    def framed(self, question: str) -> str:
        """The prompt that puts a question."""
        ...

    def tuned(self, model: Any) -> list[torch.nn.Parameter]:
        """What tuning of a language model, alone or in a VLM, changes; nothing else needs a gradient afterwards."""
        ...

    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
        """The text-only language model that is trained first: with fresh weights, or pretrained."""
        ...

    def vlm(self, language_model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
        """A VLM with fresh vision weights around the language model's weights."""
        ...

    def processor(self, tokenizer: PreTrainedTokenizerFast) -> ProcessorMixin:
        """The processor that users load next to the VLM."""
        ...

    def image_inputs(self, pictures: NDArray) -> dict[str, torch.Tensor]:
        """Model inputs for pictures of shape (n, 24, 24, 3), as the processor makes them."""
        ...

    def inputs(self, text: Mapping[str, torch.Tensor], pictures: NDArray) -> dict[str, torch.Tensor]:
        """Model inputs for texts with pictures, the latter in the order in which the texts mention them."""
        ...

    def patch_states(self, vlm: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Last hidden states of the vision tower, of shape (n, patches, width)."""
        ...

    def image_embeddings(self, vlm: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the language model sees, of shape (n, IMAGE_TOKENS, width)."""
        ...

    def tower(self, vlm: PreTrainedModel) -> torch.nn.Module:
        """The vision tower."""
        ...

    def connector(self, vlm: PreTrainedModel) -> torch.nn.Module:
        """What maps the tower's states to image embeddings."""
        ...


class FromScratch:
    """What is alike where a language model is trained from nothing: one token a word, and bare questions."""

    __slots__ = ()

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """None beyond everybody's."""
        return {}

    @property
    def glue(self) -> str:
        """Words are parted by spaces."""
        return " "

    def tokenizer(self, things: Sequence[Thing], texts: Iterable[str]) -> PreTrainedTokenizerFast:
        """One by words, made of them."""
        return make_tokenizer(things, texts, further=self.special_tokens)

    def known(self, tokenizer: PreTrainedTokenizerFast, things: Sequence[Thing]) -> tuple[Thing, ...]:
        """All of them."""
        return tuple(things)

    def tokens_of(self, tokenizer: PreTrainedTokenizerFast, words: Sequence[str]) -> list[int]:
        """One token a word."""
        vocabulary = tokenizer.get_vocab()
        return [vocabulary[word] for word in words]

    def framed(self, question: str) -> str:
        """As it is."""
        return question

    def tuned(self, model: Any) -> list[torch.nn.Parameter]:
        """Whatever is not frozen."""
        return [parameter for parameter in model.parameters() if parameter.requires_grad]


def normalised(pictures: NDArray) -> torch.Tensor:
    """Pixels as every tower gets them, of shape (n, 3, height, width)."""
    scaled = (pictures.astype(np.float32) / 255 - np.array(PIXEL_MEAN, np.float32)) / np.array(PIXEL_STD, np.float32)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous()
