"""Models whose merge is timed."""

from dataclasses import dataclass
from typing import Any

import torch

from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair

_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
SHAPES: dict[str, dict[str, int]] = {
    name: dict(zip(_SIZES, sizes, strict=True))
    for name, sizes in {
        "1M": (1000, 128, 344, 4, 4),
        "10M": (8000, 256, 688, 8, 8),
        "100M": (16000, 768, 2048, 12, 12),
        "7B": (32000, 4096, 11008, 32, 32),
    }.items()
}
"""Of Llama models; "7B" are Llama 2's and LLaVA's."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Three models whose merge is timed.

    Attributes:
        label: What they are; says so where they are synthetic.
        loaded: The models in memory.
        config: The language model's configuration, for mergekit's checkpoints.
    """

    label: str
    loaded: LoadedPair
    config: Any

    @property
    def parameters(self) -> int:
        """Elements that are merged."""
        return sum(tensor.numel() for tensor in self.loaded.base.values())


def of_pair(pair: Pair, dtype: torch.dtype, device: str) -> Subject:
    """A real pair."""
    from transformers import AutoConfig

    loaded = LoadedPair.load(pair, dtype=str(dtype).removeprefix("torch."), device=device)
    return Subject(pair.name, loaded, AutoConfig.from_pretrained(pair.base, local_files_only=True))


def synthetic(shape: str, dtype: torch.dtype, device: str, *, seed: int = 0) -> Subject:
    """Random weights in the shapes of a Llama model, where the VLM is its language backbone alone."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_dict(
        {**SHAPES[shape], "architectures": ["LlamaForCausalLM"], "dtype": str(dtype).removeprefix("torch.")}
    )
    with torch.device("meta"):
        model = torch.nn.Module.to(LlamaForCausalLM(config), dtype)
    model = model.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(seed)

    def drawn(around: dict[str, torch.Tensor] | None, scale: float) -> dict[str, torch.Tensor]:
        weights = {}
        for name, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator, device=device, dtype=dtype).mul_(scale)
            weights[name] = noise if around is None else noise.add_(around[name])
        return weights

    base = drawn(None, 0.02)
    names = {name: name for name in base}
    loaded = LoadedPair(model, None, names, base, drawn(base, 0.002), drawn(base, 0.002))
    return Subject(f"synthetic Llama, {shape}", loaded, config)
