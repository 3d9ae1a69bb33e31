"""A language model that is a LoRA of the base: low-rank steps, added to the base's weights as they are read.

What peft's `merge_and_unload` makes of a base that is loaded in float32 (Hu et al., 2021): weight + scale * B @ A, with
scale = alpha / r, or alpha / sqrt(r) if it is rank-stabilised (Kalajdzievski, 2023). Nothing is written, and nothing
rounded to the base's dtype, in which short steps would be lost.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import torch

from hpo_bench.display.words import some
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.adapter_config import MERGE_IT_IN, check_adapter
from hpo_bench.merging.checkpoints.checkpoint import TensorInfo, header, open_tensors
from hpo_bench.merging.checkpoints.identification import read_mapping
from hpo_bench.merging.checkpoints.model import StoredModel
from hpo_bench.merging.checkpoints.naming import same_weights
from hpo_bench.merging.checkpoints.skeleton import Source
from hpo_bench.merging.checkpoints.vocabulary import has_tokenizer
from hpo_bench.merging.source import ADAPTER

_WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
_ROWS_A, _ROWS_B = ".lora_embedding_A", ".lora_embedding_B"
# What peft stores of a module beside what was trained in its place, once the vocabulary was resized.
_BEFORE = ".original_module."
_UNDER = ".base_layer."


@dataclass(frozen=True, slots=True)
class _Step:
    """What is added to one weight: names of both matrices, and by how much."""

    a: str
    b: str
    scale: float
    by_row: bool = False
    transposed: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AdaptedModel(StoredModel):
    """A base with a LoRA; what is stored is the base's.

    Attributes:
        base: What it is laid over.
        adapter: Folder of the LoRA.
        steps: What is added to which tensor in memory.
        replaced: What stands instead of a tensor in memory, by its name in the adapter.
    """

    base: StoredModel
    adapter: Path
    steps: Mapping[str, _Step]
    replaced: Mapping[str, str]

    @classmethod
    def on(cls, base: StoredModel, folder: Path, *, base_source: str) -> "AdaptedModel":
        """Lay an adapter over its base.

        Args:
            base: The base.
            folder: With `adapter_config.json` and `adapter_model.safetensors`.
            base_source: Where the base is from, as a user wrote it, for messages.

        Raises:
            MergeError: If the adapter is no LoRA that can be merged, or is one of another base.
        """
        config = read_mapping(folder / ADAPTER)
        check_adapter(config, folder, base, base_source=base_source)
        if not (folder / _WEIGHTS).is_file():
            raise MergeError(f"{folder}: lacks {_WEIGHTS}; an adapter in a pickle is refused, since that may run code")
        stored = header(folder, _WEIGHTS)
        steps: dict[str, _Step] = {}
        replaced: dict[str, str] = {}
        strange: list[str] = []
        for name in stored:
            own = name.removeprefix(_PREFIX).replace(".modules_to_save.", ".").replace(_UNDER, ".")
            if _BEFORE in name:
                continue
            if name.endswith((_B, _ROWS_B)):
                b, a = (_ROWS_B, _ROWS_A) if name.endswith(_ROWS_B) else (_B, _A)
                if name.removesuffix(b) + a not in stored:
                    raise MergeError(f"{folder}: {name} lacks the other matrix of its step; fetch it anew")
                continue
            if name.endswith((_A, _ROWS_A)):
                rows = name.endswith(_ROWS_A)
                a, b = (_ROWS_A, _ROWS_B) if rows else (_A, _B)
                module = own.removesuffix(a)
                ours = _in_memory(base, module + ".weight")
                other = name.removesuffix(a) + b
                if other not in stored:
                    raise MergeError(f"{folder}: {name} lacks the other matrix of its step; fetch it anew")
                if ours is None:
                    strange.append(module)
                    continue
                rank = stored[name].shape[0]
                fan = type(base.skeleton.model.get_submodule(ours.removesuffix(".weight"))).__name__ == "Conv1D"
                steps[ours] = _Step(name, other, _scale(config, module, rank), by_row=rows, transposed=fan)
            elif ".lora_" in name:
                raise MergeError(f"{folder}: {name} is more than a LoRA's two matrices; merge it in with peft")
            elif (ours := _in_memory(base, own)) is not None:
                replaced[ours] = name
            else:
                strange.append(own)
        if fused := [module for module in strange if _is_fused(base, module + ".weight")]:
            raise MergeError(
                f"{folder}: {some(fused)} of it are layers that transformers keeps as one, as a mixture's experts; "
                f"{MERGE_IT_IN}"
            )
        if strange or not (steps or replaced):
            raise MergeError(
                f"{folder} is no LoRA of this base: {some(strange) or 'nothing'} of it is not in {base.folder}; it "
                f"says that it is of {config.get('base_model_name_or_path') or 'a model that it does not name'}"
            )
        tensors = dict(base.tensors)
        if (tied := _tied(base)) is not None:
            table, head = tied
            _check_tied(config, folder, base, tied, steps, replaced)
            if table in (*steps, *replaced) and head not in replaced:
                tensors.pop(head, None)  # stored beside what it is, and moves with it
        for ours, step in steps.items():
            a, b, rows = stored[step.a].shape, stored[step.b].shape, tensors[ours].shape
            made = (a[1], b[0]) if step.by_row or step.transposed else (b[0], a[1])
            if len(a) != 2 or len(b) != 2 or a[0] != b[1] or (ours not in (*replaced,) and made != rows):
                raise MergeError(
                    f"{folder} is no LoRA of this base: {ours} is {rows} in {base.folder}, and its step {made}"
                )
            tensors[ours] = TensorInfo(rows, torch.float32, _WEIGHTS)
        for ours, name in replaced.items():
            tensors[ours] = TensorInfo(stored[name].shape, stored[name].dtype, _WEIGHTS)
        # A base that ties its head stores none, and what was trained with the adapter is there nevertheless.
        sources = {ours: Source((name,)) for ours, name in replaced.items()} | dict(base.sources)
        return cls(
            checkpoint=base.checkpoint, configuration=base.configuration, skeleton=base.skeleton,
            sources=sources, tensors=tensors, unused=base.unused, note=_described(config, steps, replaced),
            base=base, adapter=folder, steps=steps, replaced=replaced,
        )  # fmt: skip

    @property
    def folder(self) -> Path:
        """Where the adapter lies."""
        return self.adapter

    @property
    def tokenizer(self) -> Path:
        """The adapter's own, or else the base's."""
        return self.adapter if has_tokenizer(self.adapter) else self.base.tokenizer

    def tensor(self, name: str) -> torch.Tensor:
        """Read one tensor with the adapter's step, by its name in memory; errors as for the base's."""
        adapter = open_tensors(self.adapter / _WEIGHTS)
        own = self.replaced.get(name)
        tensor = adapter.get_tensor(own) if own else self.base.tensor(name)
        if (step := self.steps.get(name)) is None:
            return tensor
        a, b = (adapter.get_tensor(each).float() for each in (step.a, step.b))
        delta = (b @ a) * step.scale
        return tensor.float() + (delta.T if step.by_row or step.transposed else delta)


def _in_memory(base: StoredModel, name: str) -> str | None:
    """The base's name in memory for what an adapter calls a tensor, perhaps by an older version's names."""
    sources, _ = base.skeleton.sources([name])
    return next((ours for ours, source in sources.items() if source.converter is None), None)


def _is_fused(base: StoredModel, name: str) -> bool:
    """Whether a name is of one of several tensors that are one in memory."""
    sources, _ = base.skeleton.sources([name])
    return bool(sources)


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """What the product is multiplied by, of one module."""
    patterns: Mapping[str, float] = config.get("alpha_pattern") or {}
    key = next((key for key in patterns if re.match(rf"(.*\.)?({key})$", module)), None)
    alpha = patterns[key] if key is not None else config.get("lora_alpha", 8)
    return alpha / (sqrt(rank) if config.get("use_rslora") else rank)


def _tied(base: StoredModel) -> tuple[str, str] | None:
    """Names in memory of embeddings and head where a base's head is its embeddings; else None."""
    model = base.skeleton.model
    table, head = (_weight_of(model, part) for part in (model.get_input_embeddings(), model.get_output_embeddings()))
    if table is None or head is None or not base.configuration.tied:
        return None
    both = table in base.tensors and head in base.tensors
    return (table, head) if not both or same_weights(base, table, head) else None


def _check_tied(
    config: Mapping[str, Any],
    folder: Path,
    base: StoredModel,
    tied: tuple[str, str],
    steps: Mapping[str, _Step],
    replaced: Mapping[str, str],
) -> None:
    """Refuse an adapter that parts a head from the embeddings it is tied to, or moves both by a step on one."""
    table, head = tied
    what = ""
    if head in steps:
        what = "has a step on the head"
    elif _parted(replaced.get(table, _UNDER)) and head not in replaced and not config.get("ensure_weight_tying"):
        what = "has embeddings of its own, and no head"
    if what:
        raise MergeError(f"{folder} {what}, which {base.folder} ties to the embeddings; {MERGE_IT_IN}")


def _parted(name: str) -> bool:
    """Whether what stands under a name in an adapter is trained beside the base's own, and not what a step is added to.

    The latter is read into the base's embeddings themselves, which the head that is tied to them then follows.
    """
    return _UNDER not in name


def _weight_of(model: Any, module: Any) -> str | None:
    """The name in memory of a module's weight."""
    return next((f"{name}.weight" for name, own in model.named_modules() if own is module), None)


def _described(config: Mapping[str, Any], steps: Mapping[str, _Step], replaced: Mapping[str, str]) -> str:
    ranks = sorted({config.get("r"), *(config.get("rank_pattern") or {}).values()} - {None})
    more = f" and {len(replaced)} of its own" if replaced else ""
    return f"a LoRA of rank {', '.join(map(str, ranks)) or '?'} on the base: {len(steps)} matrices{more}"
