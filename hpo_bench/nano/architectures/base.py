"""What training needs to know of an architecture."""

from typing import Protocol

import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin

IMAGE_TOKENS = 4
"""How many tokens a picture becomes, for every architecture."""
WIDTH = 128
LAYERS = 4
HEADS = 4
FEED_FORWARD = 256


class Architecture(Protocol):
    """How to build a VLM of some architecture around a language model, and how to reach its parts."""

    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
        """A text-only language model with fresh weights, from torch's current random state."""
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

    def patch_states(self, vlm: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Last hidden states of the vision tower, of shape (n, patches, width)."""
        ...

    def image_embeddings(self, vlm: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the language model sees, of shape (n, IMAGE_TOKENS, WIDTH)."""
        ...

    def tower(self, vlm: PreTrainedModel) -> torch.nn.Module:
        """The vision tower."""
        ...

    def connector(self, vlm: PreTrainedModel) -> torch.nn.Module:
        """What maps the tower's states to image embeddings."""
        ...
