"""A Hugging Face checkpoint on disk, opened lazily: names and shapes at once, weights when asked for."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from hpo_bench.errors import MergeError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a safetensors header says of a tensor.

    Attributes:
        shape: Its shape.
        dtype: Its dtype as stored.
        file: Name of the shard that holds it.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    file: str

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A folder with `config.json` and safetensors, whole and readable, none of whose weights has been read yet.

    Attributes:
        folder: Where it lies.
        tensors: Name on disk to what is known of the tensor.
        files: Its shards, in order.
    """

    folder: Path
    tensors: Mapping[str, TensorInfo]
    files: tuple[str, ...]
    _open: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Read the headers of all shards.

        Raises:
            MergeError: If the folder has no configuration, holds pickles instead of safetensors, lacks a shard, has a
                truncated one, or is quantised.
        """
        if not (folder / "config.json").is_file():
            raise MergeError(f"{folder}: no config.json; is this the folder of a Hugging Face checkpoint?")
        tensors = {}
        places = _places(folder)
        files = tuple(sorted(set(places.values())))
        for file in files:
            found = _header(folder / file)
            listed = {name for name, place in places.items() if place == file} - {""}
            if absent := sorted(listed - set(found)):
                raise MergeError(f"{folder / file}: lacks {absent[0]!r}, which {INDEX} says it holds; fetch it anew")
            tensors |= found
        if not tensors:
            raise MergeError(f"{folder}: its safetensors files hold no tensors")
        return cls(folder=folder, tensors=tensors, files=files)

    @property
    def bytes(self) -> int:
        """Bytes of all weights on disk."""
        return sum(info.bytes for info in self.tensors.values())

    @property
    def elements(self) -> int:
        """How many weights there are."""
        return sum(torch.Size(info.shape).numel() for info in self.tensors.values())

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor, as it is stored.

        Raises:
            MergeError: If its bytes cannot be read.
        """
        file = self.tensors[name].file
        try:
            if file not in self._open:
                self._open[file] = safe_open(self.folder / file, framework="pt")
            return self._open[file].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise MergeError(f"{self.folder / file}: {name} cannot be read: {error}") from error

    def of_file(self, file: str) -> Iterator[str]:
        """Names of the tensors of one shard."""
        return (name for name, info in self.tensors.items() if info.file == file)


def _places(folder: Path) -> dict[str, str]:
    """Tensor name to shard by the index; of an unsharded checkpoint, one entry without a name."""
    index = folder / INDEX
    if index.is_file():
        try:
            places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            files = sorted({os.fspath(file) for file in places.values()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MergeError(f"{index}: is no safetensors index; fetch it anew") from error
        for file in files:
            if Path(file).name != file:
                raise MergeError(f"{index}: names {file!r}, which is not a file beside it")
            if not (folder / file).is_file():
                raise MergeError(f"{folder}: shard {file} is missing; fetch it anew")
        return places
    if (folder / SINGLE).is_file():
        return {"": SINGLE}
    if pickles := sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern)):
        raise MergeError(
            f"{folder}: {pickles[0]} is a pickle, and loading a pickle runs whatever code its author put in it, "
            "so it is refused; convert it to safetensors (`save_pretrained` does), or use a revision that has them"
        )
    if shards := sorted(path.name for path in folder.glob("model-*-of-*.safetensors")):
        raise MergeError(f"{folder}: has shards such as {shards[0]} but not their {INDEX}; fetch it")
    raise MergeError(f"{folder}: neither {SINGLE} nor {INDEX} is in it")


def _header(path: Path) -> dict[str, TensorInfo]:
    try:
        with safe_open(path, framework="pt") as file:
            entries = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
            described = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in entries.items()}
    except (SafetensorError, OSError) as error:
        raise MergeError(f"{path}: cannot be read, it may be truncated ({error}); fetch it anew") from error
    for name, (_, dtype) in described.items():
        if dtype not in _FLOATS:
            raise MergeError(
                f"{path}: {name} is stored as {dtype}; quantised checkpoints cannot be merged, use the original weights"
            )
    return {name: TensorInfo(shape, _FLOATS[dtype], path.name) for name, (shape, dtype) in described.items()}
