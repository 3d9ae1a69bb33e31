"""A model in a serving engine that is handed each merge's language weights, and checked before anything is asked."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.serving.engine import VllmEngine
from hpo_bench.evaluation.serving.read_back import check_same, layers_to_read
from hpo_bench.evaluation.serving.shared import SharedWeights
from hpo_bench.merging.engine.fingerprint import Fingerprint
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.writing.stored import StoredWeights


class ServedModel(VllmEngine):
    """A pair's VLM in vLLM, whose language weights follow those of a live one.

    Args:
        loaded: The pair, for what its VLM stores under which name.
        options: As for `VllmEngine`.

    Attributes:
        load_seconds: What the last hand-over took, with its proof.

    Raises:
        UsageError: If the pair was not loaded from folders.
    """

    def __init__(self, loaded: LoadedPair, **options: Any) -> None:
        super().__init__(**options)
        if loaded.alignment is None:
            raise UsageError("models that were not loaded from a pair's folders cannot be served; use LoadedPair.load")
        self._loaded, self._alignment = loaded, loaded.alignment
        self._checkpoint = loaded.alignment.models["vlm"].checkpoint
        self._shared: SharedWeights | None = None
        self._handed = ""
        self.load_seconds = 0.0

    def open(self) -> SharedWeights:
        """Start the engine with the live VLM's weights, unless it runs; the memory through which it gets others.

        Raises:
            EvaluationError: If it cannot be started.
        """
        if self._shared is not None and self.alive:
            return self._shared
        weights = StoredWeights(self._alignment, self._language(self._loaded.vlm).__getitem__)
        stored = self._alignment.names["vlm"].stored
        # Under other names than the hub's the engine could not read them, and gets all of them handed over.
        readable = all(name == hub for name, hub in weights.names.items())
        names = [name for name in self._checkpoint.tensors if name in stored or not readable]
        if self._shared is None:
            infos = {weights.names[name]: self._checkpoint.tensors[name] for name in names}
            self._shared = SharedWeights({hub: (info.dtype, info.shape) for hub, info in infos.items()})
        shared, self._handed = self._shared, ""
        for name in names:
            shared.write(weights.names[name], weights.tensor(name))
        further = {} if readable else {"manifest": shared.manifest()}
        descriptor = shared.descriptor
        self.start(self._checkpoint.folder, descriptors=(descriptor,), descriptor=descriptor, **further)
        return shared

    def follow(self, model: Any, *, reset: bool = True) -> None:
        """Hand a live model's language weights over, unless the engine has them, and see that it answers with them.

        Args:
            model: Of the same architecture as the pair's VLM.
            reset: Whether the engine forgets what it computed before; for tests alone.

        Raises:
            EvaluationError: If the engine fails, or has other weights or remembers something (of kind "stale").
        """
        shared = self.open()
        begin = time.perf_counter()
        language = self._language(model)
        wanted = fingerprint_of(language)
        if wanted != self._handed:
            self._handed = ""
            # No merge changes what sees, so that what it made of pictures stays right.
            manifest = self._written(language, shared)
            reply = self.call(do="load", manifest=manifest, keep_pictures=True, reset=reset)
            if not reply["reset"] or reply["cached"]:
                raise EvaluationError(
                    f"the engine remembers {reply['cached']} tokens of what it computed with the merge before",
                    kind="stale",
                )
        given = self.call(do="probe", layers=layers_to_read(list(language)))
        computed = getattr(torch, self.backend["dtype"])
        tensors = self._alignment.models["vlm"].tensors
        stored = {name: tensors[self._alignment.language[name]].dtype for name in language}
        check_same(given, language, stored=stored, computed=computed)
        self._handed = wanted
        self.load_seconds = time.perf_counter() - begin

    def _language(self, model: Any) -> dict[str, torch.Tensor]:
        state = model.state_dict()
        return {theirs: state[ours] for ours, theirs in self._loaded.names.items()}

    def _written(self, language: Mapping[str, torch.Tensor], shared: SharedWeights) -> list[tuple]:
        """Put merged weights into shared memory; where all of the language model's lie.

        What is not merged goes with it, as an engine takes in a layer as a whole.
        """
        weights = StoredWeights(self._alignment, language.__getitem__)
        stored = self._alignment.names["vlm"].stored
        names = [name for name in self._checkpoint.tensors if name in stored]
        for name in names:
            if self._alignment.merged_name(name) is not None:
                shared.write(weights.names[name], weights.tensor(name))
        return shared.manifest([weights.names[name] for name in names])


def fingerprint_of(language: Mapping[str, torch.Tensor]) -> str:
    """Which weights these are: looked at themselves, as not whoever writes into them lets PyTorch count it."""
    code = Fingerprint(of=repr([(name, str(one.dtype), tuple(one.shape)) for name, one in language.items()]))
    for weights in language.values():
        code.update(weights.detach().flatten())
    return code.hexdigest()
