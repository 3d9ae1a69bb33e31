"""Qwen2-VL (Wang et al., 2024): pictures of any size, a patch merger, and rotary positions with three axes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
)

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.merging.processor import without_videos
from hpo_bench.nano.architectures.base import (
    CHAT_TEMPLATE,
    IMAGE_TOKENS,
    PIXEL_MEAN,
    PIXEL_STD,
    Architecture,
    around,
    normalised,
)
from hpo_bench.nano.pictures import SIZE
from hpo_bench.nano.recipes import NANO, Size
from hpo_bench.nano.vocabulary import IMAGE_ID, VIDEO, VISION_END, VISION_START

_PATCH = 6
_MERGE = 2
_GRID = SIZE // _PATCH
# The defaults of the text-only class and of the vision-language class differ: the same weights would be another model.
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_RMS_NORM_EPS = 1e-6
_SECTIONS = [4, 6, 6]  # of a head's 16 rotary frequencies: for time, height and width


@dataclass(frozen=True, slots=True)
class Qwen2VL(Architecture):
    """A tower over patches of 6 pixels, a merger of 2 x 2 patches, and a Qwen2.

    Attributes:
        size: Of the language model.
    """

    # The frame is part of the question, as in its chat template, and stands in every vocabulary.
    picture: ClassVar[str] = f"{VISION_START} {IMAGE} {VISION_END}"
    seen: ClassVar[str] = " ".join([VISION_START, *[IMAGE] * IMAGE_TOKENS, VISION_END])

    size: Size = NANO

    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A text-only Qwen2 with fresh weights: biases on queries, keys and values, and grouped-query attention."""
        text = self.text(tokenizer, grouped=True)
        return Qwen2ForCausalLM(Qwen2Config(**text, rms_norm_eps=_RMS_NORM_EPS, rope_parameters=dict(_ROPE)))

    def vlm(self, language_model: Any, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A Qwen2-VL with a fresh tower and merger around the language model's weights."""
        vocabulary = tokenizer.get_vocab()
        config = Qwen2VLConfig(
            vision_config={
                "depth": 3,
                "embed_dim": 96,
                "hidden_size": self.size.width,
                "num_heads": 4,
                "mlp_ratio": 2,
                "patch_size": _PATCH,
                "temporal_patch_size": 1,
                "spatial_merge_size": _MERGE,
            },
            text_config={
                **self.text(tokenizer, grouped=True),
                "rms_norm_eps": _RMS_NORM_EPS,
                "rope_parameters": {**_ROPE, "mrope_section": _SECTIONS},
            },
            image_token_id=vocabulary[IMAGE],
            video_token_id=vocabulary[VIDEO],
            vision_start_token_id=vocabulary[VISION_START],
            vision_end_token_id=vocabulary[VISION_END],
            tie_word_embeddings=False,
        )
        return around(Qwen2VLForConditionalGeneration(config), language_model)

    def processor(self, tokenizer: PreTrainedTokenizerFast) -> Qwen2VLProcessor:
        """Qwen2-VL's image processor without resizing, and the tokenizer.

        What looks at videos, which are never shown here, is left out, as it would need torchvision.
        """
        images = Qwen2VLImageProcessorPil(
            do_resize=False,
            image_mean=list(PIXEL_MEAN),
            image_std=list(PIXEL_STD),
            patch_size=_PATCH,
            temporal_patch_size=1,
            merge_size=_MERGE,
            size={"shortest_edge": SIZE**2, "longest_edge": SIZE**2},
        )
        kind = without_videos(Qwen2VLProcessor)
        return kind(image_processor=images, tokenizer=tokenizer, chat_template=CHAT_TEMPLATE)

    def image_inputs(self, pictures: NDArray) -> dict[str, torch.Tensor]:
        """`pixel_values` of shape (n x 16, 108), patches that will be merged side by side, and each picture's grid."""
        blocks = normalised(pictures).reshape(
            len(pictures), 3, _GRID // _MERGE, _MERGE, _PATCH, _GRID // _MERGE, _MERGE, _PATCH
        )
        patches = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(len(pictures) * _GRID**2, 3 * _PATCH**2)
        return {"pixel_values": patches, "image_grid_thw": torch.tensor([[1, _GRID, _GRID]] * len(pictures))}

    def inputs(self, text: Mapping[str, torch.Tensor], pictures: NDArray) -> dict[str, torch.Tensor]:
        """Both side by side, and which tokens are a picture's, from which the model computes positions."""
        types = (text["input_ids"] == IMAGE_ID).long()
        return {**text, **self.image_inputs(pictures), "mm_token_type_ids": types}

    def patch_states(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The tower's last hidden states, of shape (n, 16, 96)."""
        states = vlm.model.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).last_hidden_state
        return states.reshape(-1, _GRID**2, states.shape[-1])

    def image_embeddings(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the language model sees, of shape (n, 4, width)."""
        merged = vlm.model.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).pooler_output
        return merged.reshape(-1, IMAGE_TOKENS, self.size.width)

    def tower(self, vlm: Any) -> torch.nn.Module:
        """Everything before the merger."""
        return torch.nn.ModuleList([vlm.model.visual.patch_embed, vlm.model.visual.blocks])

    def connector(self, vlm: Any) -> torch.nn.Module:
        """The merger."""
        return vlm.model.visual.merger
