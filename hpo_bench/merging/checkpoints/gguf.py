"""A language model in one GGUF file, as llama.cpp has it: transformers brings it back into its own names and shapes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint, TensorInfo
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.skeleton import Skeleton, Source
from hpo_bench.merging.quiet import quiet

_WHOLE = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True, eq=False)
class UnpackedModel(StoredModel):
    """A model whose weights are in memory, in float32.

    Attributes:
        state: Every tensor, by its name in memory.
    """

    state: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor, by its name in memory."""
        return self.state[name]


def is_gguf(place: Path) -> bool:
    """Whether a place is a GGUF file."""
    return place.suffix == ".gguf" and place.is_file()


def open_gguf(file: Path) -> tuple[UnpackedModel, Configuration]:
    """Read a GGUF file; all of it comes into memory.

    Raises:
        MergeError: If the package gguf is not installed, or transformers cannot read the file.
    """
    if find_spec("gguf") is None:
        raise MergeError(
            f"{file} is a GGUF file, which needs the package gguf: pip install 'hpo-bench[gguf]'; or give the folder "
            "of the original weights in safetensors, which are exact"
        )
    from transformers import AutoConfig, AutoModelForCausalLM

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        with quiet():
            config = AutoConfig.from_pretrained(file.parent, **where)
            model: Any = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **where)
    except Exception as error:  # whatever a broken file or an unknown architecture makes transformers raise
        raise MergeError(f"{file}: cannot be read: {first_line(error)}; use the original weights") from error
    configuration = Configuration.of(config)
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if configuration.tied:
        head = Skeleton.of(configuration).head
        state = {name: tensor for name, tensor in state.items() if name != head}
    tensors = {name: TensorInfo(tuple(each.shape), each.dtype, file.name) for name, each in state.items()}
    checkpoint = Checkpoint(folder=file, tensors=tensors, files=(file.name,))
    unpacked = UnpackedModel(
        checkpoint=checkpoint, skeleton=Skeleton.of(configuration),
        sources={name: Source((name,)) for name in state}, tensors=tensors, unused={}, note=_described(file),
        state=state,
    )  # fmt: skip
    return unpacked, configuration


def read_tokens(file: Path) -> dict[str, int]:
    """Token to id, as the file lists them."""
    from gguf import GGUFReader  # type: ignore[reportMissingImports]

    listed = GGUFReader(file).fields["tokenizer.ggml.tokens"]
    return {bytes(listed.parts[at]).decode("utf-8"): row for row, at in enumerate(listed.data)}


def _described(file: Path) -> str:
    from gguf import GGUFReader  # type: ignore[reportMissingImports]

    kinds = sorted({tensor.tensor_type.name for tensor in GGUFReader(file).tensors} - {*_WHOLE})
    if not kinds:
        return "a GGUF file"
    return (
        f"a GGUF file, quantised ({', '.join(kinds)}): steps between its values may be longer than what a fine-tune "
        "changed, so the original weights merge better"
    )
