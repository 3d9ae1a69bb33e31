"""Real Hugging Face architectures at nano size, one file each."""

from hpo_bench.nano.architectures.base import Architecture
from hpo_bench.nano.architectures.llava import Llava

ARCHITECTURES: dict[str, Architecture] = {"llava-llama": Llava("llama"), "llava-mistral": Llava("mistral")}

__all__ = ["ARCHITECTURES", "Architecture"]
