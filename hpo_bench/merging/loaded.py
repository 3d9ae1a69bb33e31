"""A pair in memory: the live VLM, and the weights of all three that merging starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from hpo_bench.display.words import first_line, gib, some
from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD
from hpo_bench.merging.checkpoints.alignment import Alignment, check_finite
from hpo_bench.merging.checkpoints.configuration import Configuration
from hpo_bench.merging.checkpoints.plausibility import check_base
from hpo_bench.merging.checkpoints.skeleton import auto_class
from hpo_bench.merging.devices import check_device
from hpo_bench.merging.memory import check_memory, weight_bytes
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import load_processor
from hpo_bench.merging.scope import DTYPES, check_dtype


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPair:
    """A pair in memory.

    Attributes:
        vlm: The live VLM, into whose parameters merges are written.
        processor: Its processor; None if its folder holds none.
        names: VLM name to language model name, for every parameter that is merged.
        base: State of the base, by language model name, with the VLM's vocabulary rows.
        tuned: The VLM's own language weights, by language model name; a copy that merging does not touch.
        expert: State of the expert, by language model name, with the VLM's vocabulary rows.
        alignment: How the three lie on disk; None for models made by hand, of which nothing can be written.
    """

    vlm: Any
    processor: Any
    names: dict[str, str]
    base: dict[str, torch.Tensor]
    tuned: dict[str, torch.Tensor]
    expert: dict[str, torch.Tensor]
    alignment: Alignment | None = None

    @classmethod
    def load(
        cls,
        pair: Pair,
        *,
        dtype: str | None = None,
        device: torch.device | str | None = None,
        trust_remote_code: bool = False,
    ) -> "LoadedPair":
        """Load all three models from safetensors, base and expert tensor by tensor.

        Args:
            pair: What to load.
            dtype: "float32", "bfloat16" or "stored"; by default what the pair says.
            device: Where everything goes; by default the CPU.
            trust_remote_code: Whether the user allows code that comes with the VLM to run; the pair must ask too.

        Raises:
            UsageError: If the dtype is unknown or the device not there.
            MergeError: If a checkpoint cannot be loaded or holds NaN, the three do not fit together, or memory does not
                suffice.
        """
        scope = dtype or pair.merge.dtype
        check_dtype(scope)
        if device is not None:
            device = check_device(device)
        disable_progress_bar()  # transformers would draw its own across ours
        alignment = Alignment.of(pair, trust_remote_code=trust_remote_code)
        alignment.check()
        kept = DTYPES[scope] or alignment.widest_dtype
        check_base(alignment)
        _check_fits(alignment, kept, device)
        trusted = trust_remote_code and pair.trust_remote_code
        vlm = _load_vlm(pair.vlm, alignment.configurations["vlm"], kept, trusted)
        vlm = vlm.to(device) if device else vlm
        processor = load_processor(pair.vlm, trusted=trusted)
        state = vlm.state_dict()
        names = _names_in_memory(state, alignment)
        for ours, parameter in vlm.named_parameters():
            if ours not in names:  # what is merged is looked at as it is read below
                check_finite(parameter, f"{pair.vlm}: {ours}")
        base, tuned, expert = {}, {}, {}
        for ours, theirs in names.items():
            triple = alignment.triple(theirs)
            base[theirs] = triple.base.to(device=device, dtype=kept)
            expert[theirs] = triple.expert.to(device=device, dtype=kept)
            tuned[theirs] = state[ours].clone()
        return cls(
            vlm=vlm, processor=processor, names=names, base=base, tuned=tuned, expert=expert, alignment=alignment
        )

    @classmethod
    def of_weights(
        cls, base: Mapping[str, torch.Tensor], tuned: Mapping[str, torch.Tensor], expert: Mapping[str, torch.Tensor]
    ) -> "LoadedPair":
        """A pair of language weights with no models around them; merges are written into a copy of the VLM's own."""
        live = {name: tensor.clone() for name, tensor in tuned.items()}
        return cls(
            vlm=SimpleNamespace(state_dict=lambda: live),
            processor=None,
            names={name: name for name in live},
            base=dict(base),
            tuned=dict(tuned),
            expert=dict(expert),
        )

    def write_language(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put language weights, by language model name, into the live VLM in place."""
        state = self.vlm.state_dict()
        with torch.no_grad():
            for ours, theirs in self.names.items():
                state[ours].copy_(weights[theirs])

    def read_language(self) -> dict[str, torch.Tensor]:
        """The live VLM's present language weights, by language model name; not copied."""
        state = self.vlm.state_dict()
        return {theirs: state[ours] for ours, theirs in self.names.items()}


def _check_fits(alignment: Alignment, dtype: torch.dtype, device: torch.device | str | None) -> None:
    vlm, merged = alignment.models["vlm"].checkpoint.elements, alignment.elements(alignment.merged)
    needed = weight_bytes(vlm, merged, dtype)
    half = "" if dtype.itemsize < 4 else f"in bfloat16 it needs {gib(weight_bytes(vlm, merged, torch.bfloat16))}; "
    check_memory(
        needed,
        device=device,
        what="keeping base, VLM and expert at hand",
        instead=f"{half}a single merge can be streamed from disk to disk with `hpo-bench merge --stream`",
    )


def _load_vlm(folder: Path, configuration: Configuration, dtype: torch.dtype, trusted: bool) -> Any:
    try:
        loaded: Any = auto_class(configuration.whole, sees=configuration.sees).from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trusted,
            output_loading_info=True,
        )
    except Exception as error:  # whatever a broken file makes transformers raise
        raise MergeError(f"{folder}: cannot be loaded: {first_line(error)}") from error
    vlm, info = loaded
    # transformers fills what is missing with random weights, and only warns.
    if absent := set(info["missing_keys"]):
        raise MergeError(
            f"{folder}: the checkpoint lacks weights of its own architecture: {some(absent)}; fetch it anew"
        )
    return vlm.eval()


def _names_in_memory(state: Mapping[str, torch.Tensor], alignment: Alignment) -> dict[str, str]:
    """VLM name in memory to language model name, of what is merged, in the order of the model."""
    found = dict(alignment.backbone.names)
    if EMBEDDINGS in found and HEAD in found:
        tied = state[found[EMBEDDINGS]].data_ptr() == state[found[HEAD]].data_ptr()
        if tied != alignment.names["vlm"].tied:
            raise MergeError(
                "the VLM's head and embeddings are stored with other values, which are the same in "
                f"{str(state[found[HEAD]].dtype).removeprefix('torch.')}; merge in float32 or as stored"
                if tied
                else "the VLM's architecture keeps its head apart from its embeddings, and its configuration says that "
                "they are tied; say `tie_word_embeddings: false` there, and store both"
            )
        if tied:
            found.pop(HEAD)
    return {found[theirs]: theirs for theirs in found if theirs in set(alignment.merged)}
