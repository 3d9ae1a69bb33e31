"""Which stored tensor is which of a language model's, and whether its head is its embeddings.

transformers ties the head to the embeddings if the configuration says so, unless both are stored with other values:
then each stays what it is. If only one of both is stored, it is both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hpo_bench.merging.architectures import EMBEDDINGS, HEAD
from hpo_bench.merging.checkpoints.model import StoredModel


@dataclass(frozen=True, slots=True)
class Naming:
    """The language tensors of one checkpoint.

    Attributes:
        names: Language model name to the name in memory, for every weight that is stored; of tied ones the embeddings
            alone.
        stored: The name on disk to the language model name; a head that is stored beside the embeddings it is tied to
            has their name.
        tied: Whether the head is the embeddings.
    """

    names: Mapping[str, str]
    stored: Mapping[str, str]
    tied: bool

    @classmethod
    def of(cls, model: StoredModel, language: Mapping[str, str]) -> "Naming":
        """Name the language tensors of a checkpoint; where its configuration says that they are tied, both are read.

        Args:
            model: A VLM or a language model.
            language: Language model name to the name in memory.

        Raises:
            MergeError: If a tensor cannot be read.
        """
        names = {name: ours for name, ours in language.items() if ours in model.tensors}
        stored = {part: name for name, ours in names.items() for part in model.sources[ours].parts}
        embeddings, head = names.get(EMBEDDINGS), names.get(HEAD)
        if not model.configuration.tied or (embeddings and head and not same_weights(model, embeddings, head)):
            return cls(names, stored, tied=False)
        if head:
            stored |= dict.fromkeys(model.sources[head].parts, EMBEDDINGS)
            names = {EMBEDDINGS if name == HEAD else name: ours for name, ours in names.items()}
            names[EMBEDDINGS] = embeddings or head
        return cls(names, stored, tied=True)

    def place(self, name: str) -> str:
        """The name in memory of what a language model name stands for; a tied head's is that of the embeddings."""
        return self.names[EMBEDDINGS if name == HEAD and self.tied else name]


def same_weights(model: StoredModel, one: str, other: str) -> bool:
    """Whether two stored tensors, by their names in memory, hold the same values; both are read.

    Raises:
        MergeError: If one cannot be read.
    """
    if model.tensors[one].shape != model.tensors[other].shape:
        return False
    return torch.equal(model.tensor(one), model.tensor(other))
