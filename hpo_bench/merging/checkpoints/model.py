"""A checkpoint as transformers loads it: tensors by their names and in their shapes in memory, read when asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint, TensorInfo
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.skeleton import Shape, Skeleton, Source


@dataclass(frozen=True, slots=True, eq=False)
class StoredModel:
    """A checkpoint and its model's class.

    Attributes:
        checkpoint: On disk.
        configuration: Of the whole model.
        skeleton: In memory, without weights.
        sources: What each tensor in memory is made of.
        tensors: What is known of each, as it is in memory; file and dtype are those of its first part.
        unused: What is stored and its class does not take, by the name that it would have in memory.
        note: What it is, where it is not plainly the checkpoint; for people.
    """

    checkpoint: Checkpoint
    configuration: Configuration
    skeleton: Skeleton
    sources: Mapping[str, Source]
    tensors: Mapping[str, TensorInfo]
    unused: Mapping[str, str]
    note: str = ""

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, configuration: Configuration, *, trust_remote_code: bool = False
    ) -> "StoredModel":
        """Lay a checkpoint beside its class; errors as for `Skeleton.of`."""
        skeleton = Skeleton.of(configuration, trust_remote_code=trust_remote_code)
        sources, unused = skeleton.sources(checkpoint.tensors)
        tensors = {}
        for name, source in sources.items():
            first = checkpoint.tensors[source.parts[0]]
            shape = first.shape if source.converter is None else _assembled(name, source, checkpoint, skeleton)
            tensors[name] = TensorInfo(shape, first.dtype, first.file)
        return cls(checkpoint, configuration, skeleton, sources, tensors, unused)

    @property
    def folder(self) -> Path:
        """Where it lies: a folder, or a GGUF file."""
        return self.checkpoint.folder

    @property
    def tokenizer(self) -> Path:
        """Where its tokenizer is, likewise."""
        return self.folder

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor, by its name in memory.

        Raises:
            MergeError: If its bytes cannot be read, or what is stored cannot be converted.
        """
        source = self.sources[name]
        return self.skeleton.assemble(name, source, (self.checkpoint.tensor(part) for part in source.parts))

    def parts(self, name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the checkpoint stores of a tensor in memory, by name on disk.

        Raises:
            MergeError: If it cannot be taken apart.
        """
        source = self.sources[name]
        shapes = {part: self.checkpoint.tensors[part].shape for part in source.parts}
        return self.skeleton.take_apart(name, source, tensor, shapes)

    def place(self, name: str) -> str:
        """The name on disk of a tensor in memory, the first where it is made of several; for people."""
        return self.sources[name].parts[0] if name in self.sources else name


def _assembled(name: str, source: Source, checkpoint: Checkpoint, skeleton: Skeleton) -> Shape:
    """The shape of what is put together."""
    parts = (torch.empty(checkpoint.tensors[part].shape, device="meta") for part in source.parts)
    try:
        return tuple(skeleton.assemble(name, source, parts).shape)
    except MergeError:  # as of picture encoders that look at numbers; whoever reads the tensor is told
        return skeleton.shapes[name]
