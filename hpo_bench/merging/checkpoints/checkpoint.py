"""A Hugging Face checkpoint on disk, opened lazily: names and shapes at once, weights when asked for."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.identification import (
    INDEX,
    SINGLE,
    check_is_model,
    describe_absent_weights,
    read_config,
)
from landscapes.written import check_regular, read_json

_NAMED = "transformers_weights"
_INDEXED = ".safetensors.index.json"
_WEIGHTS = ("model*.safetensors", f"model*{_INDEXED}")
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "BOOL": torch.bool,
}  # fmt: skip
"""What is no quantised weight: floating point, and the positions, counters and masks that some models store beside."""
_INTEGERS = {"I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8}
"""What quantisers pack weights into, and converters of other frameworks store places and counters in."""
_INDICES = ("position_ids", "token_type_ids", "relative_position_index", "num_batches_tracked")
"""How the names of places and counters end, which are no weights in whatever type they are stored."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a safetensors header says of a tensor.

    Attributes:
        shape: Its shape.
        dtype: Its dtype as stored.
        file: Path of the shard that holds it, within the folder.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    file: str

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return torch.Size(self.shape).numel()

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A folder with `config.json` and safetensors, whole and readable, none of whose weights has been read yet.

    Its files are those that transformers loads: what the configuration names under `transformers_weights`, else
    `model.safetensors`, else the shards that `model.safetensors.index.json` names. Of those all tensors are read, in
    the shards' order, wherever the index says that they are: of a tensor that is in two shards the last one counts.

    Attributes:
        folder: Where it lies.
        tensors: Name on disk to what is known of the tensor.
        files: Paths of its shards within the folder, in order.
        index: Name of the file that names them; None where one file holds all.
        unread: Files of weights beside them that are not loaded, such as the shards of an older model.
    """

    folder: Path
    tensors: Mapping[str, TensorInfo]
    files: tuple[str, ...]
    index: str | None = None
    unread: tuple[str, ...] = ()
    _open: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Read the headers of all shards.

        Raises:
            MergeError: If the folder has no configuration, holds an adapter, pickles or another format instead of
                safetensors, lacks a shard or a tensor, has a truncated shard, or is quantised.
        """
        check_is_model(folder)
        files, index, listed = _resolve(folder)
        tensors: dict[str, TensorInfo] = {}
        for file in files:
            tensors |= header(folder, file)
        if absent := sorted(listed - set(tensors)):
            raise MergeError(f"{folder}: lacks {absent[0]!r}, which {index} says it holds; fetch it anew")
        if not tensors:
            raise MergeError(f"{folder}: its safetensors files hold no tensors")
        read = {*files, index}
        unread = tuple(
            sorted(path.name for pattern in _WEIGHTS for path in folder.glob(pattern) if path.name not in read)
        )
        return cls(folder=folder, tensors=tensors, files=files, index=index, unread=unread)

    @property
    def bytes(self) -> int:
        """Bytes of all weights on disk."""
        return sum(info.bytes for info in self.tensors.values())

    @property
    def elements(self) -> int:
        """How many weights there are."""
        return sum(info.elements for info in self.tensors.values())

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor, as it is stored.

        Raises:
            MergeError: If its bytes cannot be read.
        """
        file = self.tensors[name].file
        try:
            if file not in self._open:
                self._open[file] = open_tensors(self.folder / file)
            return self._open[file].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise MergeError(f"{self.folder / file}: {name} cannot be read: {error}") from error

    def of_file(self, file: str) -> Iterator[str]:
        """Names of the tensors of one shard."""
        return (name for name, info in self.tensors.items() if info.file == file)


def index_text(checkpoint_tensors: Mapping[str, TensorInfo]) -> str:
    """The index of shards, as JSON text: which tensor is in which."""
    sizes = {"total_size": sum(info.bytes for info in checkpoint_tensors.values())}
    places = {name: info.file for name, info in sorted(checkpoint_tensors.items())}
    return json.dumps({"metadata": sizes, "weight_map": places}, indent=1) + "\n"


def _resolve(folder: Path) -> tuple[tuple[str, ...], str | None, set[str]]:
    """The files that transformers loads, the index that names them if one does, and what that says they hold."""
    named = read_config(folder).get(_NAMED)
    if named is None:
        named = next((file for file in (SINGLE, INDEX) if (folder / file).is_file()), None)
        if named is None:
            raise MergeError(f"{folder}: {describe_absent_weights(folder)}")
    elif not isinstance(named, str) or Path(named).name != named or not named.endswith((".safetensors", _INDEXED)):
        raise MergeError(f"{folder}: config.json names {named!r} as {_NAMED}, which is no safetensors file beside it")
    if not (folder / named).is_file():
        raise MergeError(f"{folder}: config.json names {named} as {_NAMED}, which is missing; fetch it anew")
    if not named.endswith(_INDEXED):
        return (named,), None, set()
    index = folder / named
    try:
        content = read_json(index, wrong=MergeError)
        places, metadata = content["weight_map"], content["metadata"]
        if not places or not isinstance(metadata, dict):
            raise TypeError("holds nothing")
        files = tuple(sorted(set(places.values())))
        outside = [file for file in files if not _is_within(file)]
    except (KeyError, TypeError, AttributeError) as error:
        raise MergeError(
            f"{index}: is no safetensors index, which has a weight_map and metadata; fetch it anew"
        ) from error
    if outside:
        raise MergeError(f"{index}: names {outside[0]!r}, which is no file beside or below it")
    for file in files:
        if not (folder / file).is_file():
            raise MergeError(f"{folder}: shard {file} is missing; fetch it anew")
    return files, named, set(places)


def _is_within(file: str) -> bool:
    """Whether a path leads from a folder to what is in it, in one way alone."""
    path = PurePosixPath(file)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and str(path) == file


def open_tensors(path: Path) -> Any:
    """A file of safetensors, whose tensors are read when asked for."""
    return safe_open(path, framework="pt")


def header(folder: Path, file: str) -> dict[str, TensorInfo]:
    """What a file of safetensors in a folder says of its tensors, by name.

    Raises:
        MergeError: If it cannot be read, or holds quantised weights.
    """
    path = folder / file
    check_regular(path, wrong=MergeError)
    try:
        with safe_open(path, framework="pt") as opened:
            entries = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 (safe_open is no mapping)
            described = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in entries.items()}
    except (SafetensorError, OSError) as error:
        raise MergeError(f"{path}: cannot be read, it may be truncated ({error}); fetch it anew") from error
    found: dict[str, TensorInfo] = {}
    for name, (shape, dtype) in described.items():
        known = {**_DTYPES, **_INTEGERS} if name.endswith(_INDICES) else _DTYPES
        if dtype not in known:
            raise MergeError(
                f"{path}: {name} is stored as {dtype}; quantised checkpoints cannot be merged, use the original weights"
            )
        found[name] = TensorInfo(shape, known[dtype], file)
    return found
