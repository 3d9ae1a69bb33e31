"""Real Hugging Face architectures at nano size, one file each."""

from hpo_bench.nano.architectures.base import Architecture
from hpo_bench.nano.architectures.idefics2 import Idefics2
from hpo_bench.nano.architectures.llava import Llava
from hpo_bench.nano.architectures.qwen2_vl import Qwen2VL
from hpo_bench.nano.architectures.smollm2 import LlavaSmolLM2
from hpo_bench.nano.recipes import LARGER

ARCHITECTURES: dict[str, Architecture] = {
    "llava-llama": Llava("llama"),
    "llava-mistral": Llava("mistral"),
    "qwen2-vl": Qwen2VL(),
    "idefics2": Idefics2(),
    "llava-smollm2": LlavaSmolLM2(),
    **{f"llava-llama-{name}": Llava("llama", size) for name, size in LARGER.items()},
}

__all__ = ["ARCHITECTURES", "Architecture"]
