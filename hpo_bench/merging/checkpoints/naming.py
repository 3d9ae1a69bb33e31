"""Which stored tensor is which of a language model's, and whether its head is its embeddings.

transformers ties the head to the embeddings if the configuration says so, unless both are stored with other values:
then each stays what it is. If only one of both is stored, it is both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hpo_bench.merging.architectures import EMBEDDINGS, HEAD, is_weight, language_tensors
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Naming:
    """The language tensors of one checkpoint.

    Attributes:
        names: Language model name to the name on disk, for every weight; of tied ones the embeddings alone.
        stored: The name on disk to the language model name; a head that is stored beside the embeddings it is tied to
            has their name.
        tied: Whether the head is the embeddings.
    """

    names: Mapping[str, str]
    stored: Mapping[str, str]
    tied: bool

    @classmethod
    def of(cls, checkpoint: Checkpoint, *, says_tied: bool, prefixes: Mapping[str, str] | None = None) -> "Naming":
        """Name the language tensors of a checkpoint; where it says that they are tied, both matrices are read.

        Args:
            checkpoint: Of a VLM or a language model.
            says_tied: Whether its configuration says that the head is the embeddings.
            prefixes: Of a VLM, how its names begin and those of a language model; None for a language model.

        Raises:
            MergeError: If names are ambiguous, none is language, or a tensor cannot be read.
        """
        if prefixes is None:
            names = {name: name for name in checkpoint.tensors if is_weight(name)}
        else:
            names = language_tensors(checkpoint.tensors, prefixes)
        stored = {place: name for name, place in names.items()}
        embeddings, head = names.get(EMBEDDINGS), names.get(HEAD)
        if not says_tied or (embeddings and head and not _equal(checkpoint, embeddings, head)):
            return cls(names, stored, tied=False)
        if head:
            stored[head] = EMBEDDINGS
            names = {EMBEDDINGS if name == HEAD else name: place for name, place in names.items()}
            names[EMBEDDINGS] = embeddings or head
        return cls(names, stored, tied=True)

    def place(self, name: str) -> str:
        """The name on disk of what a language model name stands for; a tied head's is that of the embeddings."""
        return self.names[EMBEDDINGS if name == HEAD and self.tied else name]


def _equal(checkpoint: Checkpoint, one: str, other: str) -> bool:
    if checkpoint.tensors[one].shape != checkpoint.tensors[other].shape:
        return False
    return torch.equal(checkpoint.tensor(one), checkpoint.tensor(other))
