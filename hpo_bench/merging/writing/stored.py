"""What a VLM's checkpoint stores of new language weights, tensor by tensor, as hubs name and lay it out."""

from collections.abc import Callable, Mapping

import torch

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.hub_layout import hub_names


class StoredWeights:
    """A VLM with other language weights, one stored tensor after the other; what is not merged is the VLM's own.

    Args:
        alignment: Of the pair.
        language: From a language model name to its new weights, of the VLM's shape; called for what is merged alone.

    Attributes:
        names: The VLM's name on disk to the hub's, for every tensor that it stores, in the checkpoint's order.
    """

    def __init__(self, alignment: Alignment, language: Callable[[str], torch.Tensor]) -> None:
        self._alignment, self._language = alignment, language
        self._model = alignment.models["vlm"]
        self.names: Mapping[str, str] = hub_names(self._model)
        self._owners = {part: ours for ours, source in self._model.sources.items() for part in source.parts}
        self._waiting: dict[str, torch.Tensor] = {}  # parts of what is stored in several, until their turn

    def tensor(self, name: str) -> torch.Tensor:
        """What is to be stored under a name on disk: of merged weights in the dtype that they have in memory.

        Raises:
            MergeError: If a weight has another shape, cannot be taken apart, or is the VLM's and cannot be read.
        """
        theirs = self._alignment.merged_name(name)
        if theirs is None:
            return self._alignment.read_copied(name)
        if name not in self._waiting:
            ours, new = self._owners[name], self._language(theirs)
            if tuple(new.shape) != (shape := self._model.tensors[ours].shape):
                raise MergeError(f"{theirs}: the merged weights are {tuple(new.shape)}, and the VLM's {shape}")
            self._waiting |= self._model.parts(ours, new.detach().to("cpu"))
        return self._waiting.pop(name)
