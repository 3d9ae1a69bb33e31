"""A language model in one GGUF file, as llama.cpp has it: transformers brings it back into its own names and shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint, TensorInfo
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.skeleton import Skeleton, Source
from hpo_bench.merging.memory import check_memory
from hpo_bench.merging.quiet import quiet

_WHOLE = ("F32", "F16", "BF16")
_SMALL_BLOCKS = ("Q2_K", "Q3_K", "Q6_K")
"""Kinds in which 16 values share a scale; in the others there are 32 at least."""
_ROWS = 64
"""So many rows of each tensor are looked at."""


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
    _check_memory(file)
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
    listed = _reader(file).fields["tokenizer.ggml.tokens"]
    return {bytes(listed.parts[at]).decode("utf-8"): row for row, at in enumerate(listed.data)}


def _reader(file: Path) -> Any:
    """What gguf reads of a file, once: it takes seconds for a large vocabulary."""
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(file: Path, _changed: int) -> Any:
    from gguf import GGUFReader  # type: ignore[reportMissingImports]

    return GGUFReader(file)


def _check_memory(file: Path) -> None:
    """Unpacked weights are there twice for a moment: as they are read, and in the model."""
    try:
        elements = sum(int(tensor.n_elements) for tensor in _reader(file).tensors)
    except Exception:  # whatever a broken file raises: transformers says it better
        return
    check_memory(
        2 * elements * torch.float32.itemsize,
        device=None,
        what=f"{file}, unpacked to float32,",
        instead="give the folder of the original weights in safetensors, which are read one tensor after the other",
    )


def _described(file: Path) -> str:
    tensors = [one for one in _reader(file).tensors if one.tensor_type.name not in _WHOLE]
    if not tensors:
        return "a GGUF file"
    kinds = ", ".join(sorted({one.tensor_type.name for one in tensors}))
    return (
        f"a GGUF file, quantised ({kinds}): rounding adds about {_rounding(tensors):.2g} of the weights' size to "
        "its task vector, which should be much longer than that; the original weights merge better"
    )


def _rounding(tensors: Sequence[Any]) -> float:
    """Root mean square of what rounding changed, relative to that of the weights.

    Where values that share a scale are even steps apart, the shortest distance of two is a step, and what was rounded
    away is evenly distributed within it: its variance is a twelfth of the step's square.

    Args:
        tensors: As gguf's reader gives them.
    """
    from gguf import quants  # type: ignore[reportMissingImports]

    lost = whole = 0.0
    for tensor in tensors:
        values = quants.dequantize(tensor.data[:_ROWS], tensor.tensor_type).astype(np.float32)
        size = 16 if tensor.tensor_type.name in _SMALL_BLOCKS else 32
        blocks = np.sort(values.reshape(-1, size), axis=1)
        steps = np.diff(blocks, axis=1)
        steps = np.where(steps > 1e-6 * np.abs(blocks).max(axis=1, keepdims=True), steps, np.inf).min(axis=1)
        share = int(tensor.n_elements) / values.size
        lost += share * size * float(np.square(np.where(np.isfinite(steps), steps, 0.0), dtype=np.float64).sum()) / 12
        whole += share * float(np.square(values, dtype=np.float64).sum())
    return (lost / whole) ** 0.5 if whole else 0.0
