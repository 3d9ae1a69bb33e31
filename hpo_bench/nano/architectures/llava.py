"""LLaVA (Liu et al., 2023) around a Llama or a Mistral."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

from hpo_bench.evaluation.examples import IMAGE
from hpo_bench.nano.architectures.base import CHAT_TEMPLATE, PIXEL_MEAN, PIXEL_STD, Architecture, around
from hpo_bench.nano.pictures import SIZE
from hpo_bench.nano.recipes import NANO, Size

_PATCH = 12
_BACKBONES = {"llama": (LlamaConfig, LlamaForCausalLM), "mistral": (MistralConfig, MistralForCausalLM)}


@dataclass(frozen=True, slots=True)
class Llava(Architecture):
    """A CLIP tower, two linear layers, and a Llama or Mistral.

    Attributes:
        backbone: "llama" or "mistral".
        size: Of the language model.
        seeing: Width and number of layers of the vision tower.
    """

    backbone: str
    size: Size = NANO
    seeing: tuple[int, int] = (96, 3)

    def language_model(self, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A text-only Llama or Mistral with fresh weights; Mistral with grouped-query attention, as the real one."""
        config_class, model_class = _BACKBONES[self.backbone]
        return model_class(config_class(**self.text(tokenizer, grouped=self.backbone == "mistral")))

    def vlm(self, language_model: Any, tokenizer: PreTrainedTokenizerFast) -> Any:
        """A LLaVA with a fresh tower and projector around the language model's weights."""
        config = LlavaConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=self.seeing[0],
                intermediate_size=2 * self.seeing[0],
                num_hidden_layers=self.seeing[1],
                num_attention_heads=4,
                image_size=SIZE,
                patch_size=_PATCH,
                projection_dim=self.size.width,
            ),
            text_config=language_model.config,
            image_token_index=tokenizer.get_vocab()[IMAGE],
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            image_seq_length=(SIZE // _PATCH) ** 2,
            tie_word_embeddings=language_model.config.tie_word_embeddings,
        )
        return around(LlavaForConditionalGeneration(config), language_model)

    def processor(self, tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
        """CLIP's image processor and the tokenizer; a picture is four tokens and CLIP's class token is dropped."""
        images = CLIPImageProcessorPil(
            do_resize=False,
            do_center_crop=False,
            do_convert_rgb=True,
            image_mean=list(PIXEL_MEAN),
            image_std=list(PIXEL_STD),
            size={"height": SIZE, "width": SIZE},
        )
        return LlavaProcessor(
            image_processor=images,
            tokenizer=tokenizer,
            patch_size=_PATCH,
            vision_feature_select_strategy="default",
            image_token=IMAGE,
            num_additional_image_tokens=1,
            chat_template=CHAT_TEMPLATE,
        )

    def patch_states(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The tower's last hidden states without the class token, of shape (n, 4, its width)."""
        return vlm.model.vision_tower(inputs["pixel_values"]).last_hidden_state[:, 1:]

    def image_embeddings(self, vlm: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the language model sees, of shape (n, 4, width)."""
        return vlm.model.multi_modal_projector(self.patch_states(vlm, inputs))

    def tower(self, vlm: Any) -> torch.nn.Module:
        """The CLIP tower."""
        return vlm.model.vision_tower

    def connector(self, vlm: Any) -> torch.nn.Module:
        """The projector."""
        return vlm.model.multi_modal_projector
