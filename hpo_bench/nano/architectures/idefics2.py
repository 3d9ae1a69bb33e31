"""Idefics2 (Laurençon et al., 2024): a perceiver that resamples each picture to a few tokens, and a Mistral."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from transformers import (
    Idefics2Config,
    Idefics2ForConditionalGeneration,
    Idefics2ImageProcessorPil,
    Idefics2Processor,
    PreTrainedTokenizerFast,
)

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.nano.architectures.base import (
    CHAT_TEMPLATE,
    IMAGE_TOKENS,
    PIXEL_MEAN,
    PIXEL_STD,
    Architecture,
    around,
    normalised,
)
from hpo_bench.nano.architectures.llava import Llava
from hpo_bench.nano.pictures import SIZE
from hpo_bench.nano.recipes import NANO, Size

_PATCH = 6
_FRAME = "<fake_token_around_image>"


@dataclass(frozen=True, slots=True)
class Idefics2(Architecture):
    """A SigLIP tower over patches of 6 pixels, a perceiver resampler, and a Mistral.

    Attributes:
        size: Of the language model.
    """

    # What its processor puts around a picture, and after a chat's utterance.
    special_tokens: ClassVar[Mapping[str, str]] = {
        "image_boundary_token": _FRAME,
        "end_of_utterance_token": "<end_of_utterance>",
    }
    seen: ClassVar[str] = " ".join([_FRAME, *[IMAGE] * IMAGE_TOKENS, _FRAME])

    size: Size = NANO

    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A text-only Mistral with fresh weights."""
        return Llava("mistral", self.size).language_model(tokenizer)

    def vlm(self, language_model: Any, tokenizer: PreTrainedTokenizerFast) -> Any:
        """An Idefics2 with a fresh tower, projection and perceiver around the language model's weights."""
        config = Idefics2Config(
            vision_config={
                "hidden_size": 96,
                "intermediate_size": 192,
                "num_hidden_layers": 3,
                "num_attention_heads": 4,
                "image_size": SIZE,
                "patch_size": _PATCH,
            },
            perceiver_config={
                "hidden_size": self.size.width,
                "rms_norm_eps": language_model.config.rms_norm_eps,
                "resampler_n_latents": IMAGE_TOKENS,
                "resampler_depth": 2,
                "resampler_n_heads": 4,
                "resampler_head_dim": 32,
                "num_key_value_heads": 2,
            },
            text_config=language_model.config.to_dict(),
            image_token_id=tokenizer.get_vocab()[IMAGE],
            tie_word_embeddings=False,
        )
        vlm: Any = around(Idefics2ForConditionalGeneration(config), language_model, "text_model")
        _start_connector(vlm.model.connector, spread=language_model.model.embed_tokens.weight.std())
        return vlm

    def processor(self, tokenizer: PreTrainedTokenizerFast) -> Idefics2Processor:
        """Idefics2's image processor without resizing, and the tokenizer."""
        images = Idefics2ImageProcessorPil(
            do_resize=False,
            do_image_splitting=False,
            image_mean=list(PIXEL_MEAN),
            image_std=list(PIXEL_STD),
            size={"shortest_edge": SIZE, "longest_edge": SIZE},
        )
        return Idefics2Processor(
            image_processor=images, tokenizer=tokenizer, image_seq_len=IMAGE_TOKENS, chat_template=CHAT_TEMPLATE
        )

    def image_inputs(self, pictures: NDArray) -> dict[str, torch.Tensor]:
        """`pixel_values` of shape (n, 1, 3, 24, 24)."""
        return {"pixel_values": normalised(pictures).unsqueeze(1)}

    def patch_states(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The tower's last hidden states, of shape (n, 16, 96)."""
        return vlm.model.vision_model(pixel_values=inputs["pixel_values"].flatten(0, 1)).last_hidden_state

    def image_embeddings(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the language model sees, of shape (n, 4, width)."""
        seen = vlm.model.get_image_features(inputs["pixel_values"]).pooler_output
        return torch.cat(list(seen)).reshape(-1, IMAGE_TOKENS, self.size.width)

    def tower(self, vlm: Any) -> torch.nn.Module:
        """The SigLIP tower."""
        return vlm.model.vision_model

    def connector(self, vlm: Any) -> torch.nn.Module:
        """The projection and the perceiver."""
        return vlm.model.connector


def _start_connector(connector: Any, *, spread: torch.Tensor) -> None:
    """Start where image embeddings have the size of word embeddings; from the library's own start alignment fails.

    Args:
        connector: Projection and perceiver.
        spread: Standard deviation of the word embeddings.
    """
    with torch.no_grad():
        for module in connector.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.normal_(0, module.in_features**-0.5)
        connector.perceiver_resampler.latents.normal_(0, 0.05)
        connector.perceiver_resampler.norm.weight.fill_(spread.item())
