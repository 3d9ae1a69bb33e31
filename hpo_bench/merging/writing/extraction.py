"""Base, VLM's backbone and expert as three plain language models with one vocabulary, for mergekit or anything else."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import TensorInfo, index_text
from hpo_bench.merging.checkpoints.identification import INDEX
from hpo_bench.merging.engine.memory import check_disk
from hpo_bench.merging.manifest import ROLES
from hpo_bench.merging.writing.auxiliary import TOKENIZER, auxiliary_files, copy_auxiliary
from hpo_bench.merging.writing.folder import finished_folder, save_tensors
from landscapes.written import read_json

_SHARD = 4 * 2**30


def extract(alignment: Alignment, folder: Path) -> Path:
    """Write `base`, `vlm` and `expert` into a folder, as Hugging Face language models.

    All have the VLM's vocabulary rows, matched by token, and its tokenizer. What the pair leaves out of the merge is
    the VLM's in all three, so that merging them leaves it alone.

    Args:
        alignment: Of the pair.
        folder: Where they go; must not exist yet, or be empty.

    Raises:
        UsageError: If the folder is taken or cannot be made.
        MergeError: If the disk is too small or a tensor cannot be read. Nothing is left behind then.
    """
    itemsize = alignment.stored_dtype.itemsize
    check_disk(3 * alignment.elements(alignment.language) * itemsize, folder, "three language models")
    config = _config(alignment)
    vlm = alignment.checkpoints["vlm"].folder
    auxiliary_files(vlm, TOKENIZER)  # refused before any work
    with finished_folder(folder, apart_from=alignment.folders) as scratch:
        writers = {role: _Shards(scratch / role) for role in ROLES}
        for name in alignment.language:
            if name in alignment.merged:
                triple = alignment.triple(name)
                tensors = {"base": triple.base, "vlm": triple.vlm, "expert": triple.expert}
            else:
                tensors = dict.fromkeys(ROLES, alignment.read("vlm", alignment.language[name]))
            for role, tensor in tensors.items():
                writers[role].add(name, tensor)
        for role, writer in writers.items():
            writer.finish()
            (scratch / role / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
            copy_auxiliary(vlm, scratch / role, TOKENIZER)
    return folder


def _config(alignment: Alignment) -> Mapping[str, object]:
    """The base's configuration with the VLM's vocabulary and ties: weights of all three go by the same one."""
    base, vlm = alignment.checkpoints["base"], alignment.configurations["vlm"]
    config = read_json(base.folder / "config.json", wrong=MergeError)
    config["vocab_size"] = vlm.facts["vocabulary"]
    config["tie_word_embeddings"] = vlm.tied
    return config


class _Shards:
    """Writes tensors into shards of at most some gigabytes, and their index."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._pending: dict[str, torch.Tensor] = {}
        self._written: dict[str, TensorInfo] = {}
        self._shards = 0

    def add(self, name: str, tensor: torch.Tensor) -> None:
        if self._pending and sum(map(_bytes, self._pending.values())) + _bytes(tensor) > _SHARD:
            self._flush()
        self._pending[name] = tensor.contiguous()

    def finish(self) -> None:
        self._flush()
        (self._folder / INDEX).write_text(index_text(self._written), encoding="utf-8")

    def _flush(self) -> None:
        self._shards += 1
        file = f"model-{self._shards:05d}.safetensors"
        save_tensors(self._pending, self._folder / file, metadata={"format": "pt"})
        self._written |= {name: TensorInfo(tuple(each.shape), each.dtype, file) for name, each in self._pending.items()}
        self._pending = {}


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.itemsize
