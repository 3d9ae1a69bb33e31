"""A language model in one GGUF file, as llama.cpp has it: transformers brings it back into its own names and shapes."""

import re
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpo_bench.display.words import first_line, some
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint, TensorInfo
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.making import quiet
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.skeleton import Skeleton, Source
from hpo_bench.merging.memory import check_memory

_WHOLE = ("F32", "F16", "BF16")
_PART = re.compile(r"-\d{5}-of-\d{5}$")
_FOLLOWING = ("rope_freqs.", "rope_factors_")
"""How names of tensors begin that follow from the configuration."""
_SIZES = {".attention.key_length": "head_dim", ".expert_feed_forward_length": "moe_intermediate_size"}
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
    return place.suffix.lower() == ".gguf" and place.is_file()


def open_gguf(file: Path) -> UnpackedModel:
    """Read a GGUF file; all of it comes into memory.

    Raises:
        MergeError: If the package gguf is not installed, or transformers cannot read the file.
    """
    if find_spec("gguf") is None:
        raise MergeError(
            f"{file} is a GGUF file, which needs the package gguf: pip install 'hpo-bench[gguf]'; or give the folder "
            "of the original weights in safetensors, which are exact"
        )
    if _PART.search(file.stem):
        raise MergeError(f"{file} is one part of a GGUF file; put them together (`llama-gguf-split --merge`)")
    _check_memory(file)
    model, missing = _loaded(file)
    configuration = replace(Configuration.of(model.config), partial=True)
    skeleton = Skeleton.of(configuration)
    absent = skeleton.head if configuration.tied else None
    state = {name: tensor.detach() for name, tensor in model.state_dict().items() if name != absent}
    _check_complete(file, state, missing)
    tensors = {name: TensorInfo(tuple(each.shape), each.dtype, file.name) for name, each in state.items()}
    checkpoint = Checkpoint(folder=file, tensors=tensors, files=(file.name,))
    return UnpackedModel(
        checkpoint=checkpoint, configuration=configuration, skeleton=skeleton,
        sources={name: Source((name,)) for name in state}, tensors=tensors, unused={}, note=_described(file),
        state=state,
    )  # fmt: skip


def _loaded(file: Path) -> tuple[Any, set[str]]:
    """The model, and what of it the file lacks, which transformers fills with random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        with quiet(), redirect_stderr(StringIO()):  # which takes transformers' bars as well
            config = AutoConfig.from_pretrained(file.parent, **where)
            _complete(config, _reader(file).fields)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                file.parent, config=config, dtype=torch.float32, output_loading_info=True,
                ignore_mismatched_sizes=True, **where,
            )  # fmt: skip
    except Exception as error:  # whatever a broken file or an unknown architecture makes transformers raise
        why = first_line(error).rstrip(".")
        raise MergeError(f"{file}: cannot be read: {why}; use the original weights") from error
    model, info = loaded
    if unlike := {name for name, *_ in info["mismatched_keys"]}:
        raise MergeError(f"{file}: transformers does not read how large {some(unlike)} are; use the original weights")
    return model, set(info["missing_keys"])


def _complete(config: Any, fields: Mapping[str, Any]) -> None:
    """Take over sizes that the file says and transformers does not read, and numbers as they were before float32."""
    written = config.to_dict()
    for key, name in _SIZES.items():
        size = next((field for full, field in fields.items() if full.endswith(key)), None)
        # Gemma 4 says by it how large some heads are, and transformers knows that.
        if size is not None and name in written and "global_head_dim" not in written:
            setattr(config, name, int(size.parts[size.data[0]][0]))
    for name, value in list(vars(config).items()):
        if isinstance(value, float) and float(np.float32(value)) == value:
            setattr(config, name, float(str(np.float32(value))))


def _check_complete(file: Path, state: Mapping[str, torch.Tensor], missing: set[str]) -> None:
    """Refuse a file of which transformers does not take all, or which lacks something of its architecture."""
    if absent := missing & set(state):
        raise MergeError(f"{file} lacks weights of its own architecture: {some(absent)}; use the original weights")
    stored = [tensor for tensor in _reader(file).tensors if not str(tensor.name).startswith(_FOLLOWING)]
    more = sum(int(tensor.n_elements) for tensor in stored) - sum(tensor.numel() for tensor in state.values())
    if more:
        raise MergeError(
            f"{file} holds {more:,} weights that transformers does not take, or takes twice, of {len(stored)} tensors; "
            "use the original weights"
        )


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
