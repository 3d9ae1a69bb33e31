"""A VLM taken apart and put together: its folder with other language weights, and its language parts as models."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open

from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import BY_ROW, ROWS_PER_LAYER
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint, TensorInfo, index_text
from hpo_bench.merging.checkpoints.identification import INDEX
from hpo_bench.merging.manifest import ROLES
from hpo_bench.merging.memory import check_disk
from hpo_bench.merging.writing.auxiliary import TOKENIZER, auxiliary_files, copy_auxiliary
from hpo_bench.merging.writing.folder import finished_folder, save_tensors
from hpo_bench.merging.writing.stored import StoredWeights
from landscapes.written import read_json


def write_grafted(
    alignment: Alignment,
    language: Callable[[str], torch.Tensor],
    folder: Path,
    *,
    texts: Callable[[Path], Mapping[str, str]] = lambda _: {},
) -> Path:
    """Write the VLM with other language weights, one shard in memory at a time; all else is the VLM's, bit for bit.

    Shards, dtypes and all other files are the VLM's own, and so are names, unless hubs have others for its
    architecture: what loads the VLM loads the copy, and so does what knows published VLMs alone.

    Args:
        alignment: Of the pair.
        language: From a language model name to its new weights, of the VLM's shape; called for what is merged alone,
            and converted to the dtype in which the VLM stores it.
        folder: Where the copy goes; must not exist yet, or be empty.
        texts: Further files, by name; given the folder that holds the finished weights.

    Returns:
        The folder.

    Raises:
        UsageError: If the folder is taken or cannot be made.
        MergeError: If the disk is too small, or a weight, merged or copied, is NaN or has another shape. Nothing is
            left behind then.
    """
    vlm = alignment.models["vlm"].checkpoint
    check_disk(vlm.bytes, folder, "the merged model")
    auxiliary_files(vlm.folder)  # refused before any work
    with finished_folder(folder, apart_from=alignment.folders) as scratch:
        copy_auxiliary(vlm.folder, scratch)
        stored = StoredWeights(alignment, language)
        wanted = {stored.names[name]: info for name, info in vlm.tensors.items()}
        for file in vlm.files:
            tensors: dict[str, torch.Tensor] = {}
            for name in vlm.of_file(file):
                tensor, theirs = stored.tensor(name), alignment.merged_name(name)
                tensors[stored.names[name]] = _checked(tensor, vlm.tensors[name], theirs) if theirs else tensor
            with safe_open(vlm.folder / file, framework="pt") as source:
                metadata = source.metadata() or {"format": "pt"}
            (scratch / file).parent.mkdir(parents=True, exist_ok=True)
            save_tensors(tensors, scratch / file, metadata=metadata)
        if vlm.index is not None:
            (scratch / vlm.index).write_text(index_text(wanted), encoding="utf-8")
        if Checkpoint.open(scratch).tensors != wanted:
            raise MergeError(f"{scratch}: what was written is not what was meant to be; is the disk sound?")
        for name, text in texts(scratch).items():
            (scratch / name).write_text(text, encoding="utf-8")
    return folder


def _checked(new: torch.Tensor, old: TensorInfo, name: str) -> torch.Tensor:
    # A copy, since a head is stored beside the embeddings that it is tied to, and no file may hold a tensor twice.
    stored = new.to(dtype=old.dtype, copy=True).contiguous()
    if not torch.isfinite(stored).all():
        raise MergeError(
            f"{name}: merged weights are NaN, infinite or too large for {str(old.dtype).removeprefix('torch.')}; "
            "use smaller weights"
        )
    return stored


_SHARD = 4 * 2**30


def extract(alignment: Alignment, folder: Path) -> Path:
    """Write `base`, `vlm` and `expert` into a folder, as Hugging Face language models.

    All have the VLM's vocabulary rows, matched by token, and its tokenizer; not those that its embeddings have and its
    head has not, as Mllama's do, which no language model could load. What the pair leaves out of the merge is the VLM's
    in all three, so that merging them leaves it alone.

    Args:
        alignment: Of the pair.
        folder: Where they go; must not exist yet, or be empty.

    Raises:
        UsageError: If the folder is taken or cannot be made.
        MergeError: If the disk is too small or a tensor cannot be read. Nothing is left behind then.
    """
    itemsize = max(alignment.stored_as(name).itemsize for name in alignment.language)
    check_disk(3 * alignment.elements(alignment.language) * itemsize, folder, "three language models")
    plain = next((role for role in ("base", "expert") if alignment.configurations[role].plain), None)
    config = _config(alignment, plain)
    vlm = alignment.models["vlm"].folder
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
                if name in BY_ROW:
                    tensor = tensor[: alignment.configurations["vlm"].facts["vocabulary"]]
                for place, part in _as_stored(alignment, plain, name, tensor).items():
                    writers[role].add(place, part)
        for role, writer in writers.items():
            writer.finish()
            (scratch / role / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
            copy_auxiliary(vlm, scratch / role, TOKENIZER)
    return folder


def _config(alignment: Alignment, plain: str | None) -> Mapping[str, object]:
    """A language model's configuration with the VLM's vocabulary and ties: weights of all three go by the same one.

    Args:
        alignment: Of the pair.
        plain: Which of base and expert is a language model's folder, and neither the language part of a VLM nor GGUF;
            None if neither is.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    vlm = alignment.configurations["vlm"]
    if plain is not None:
        config = read_json(alignment.models[plain].checkpoint.folder / "config.json", wrong=MergeError)
    else:
        text = alignment.configurations["base"].text
        if text.model_type not in CAUSAL:
            raise MergeError(
                f"transformers has no language model of the kind {text.model_type!r}, so the VLMs' language parts "
                "cannot be written as one; give a language model as the base"
            )
        config = {**text.to_dict(), "architectures": [CAUSAL[text.model_type]]}
    config["vocab_size"] = vlm.facts["vocabulary"]
    config["tie_word_embeddings"] = vlm.tied
    if (rows := getattr(vlm.text, ROWS_PER_LAYER, None)) is not None:
        config[ROWS_PER_LAYER] = rows
    return config


def _as_stored(alignment: Alignment, plain: str | None, name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """A language tensor under the names and in the shapes in which that language model stores it."""
    if plain is None or name not in alignment.names[plain].names:
        return {name: tensor}
    return alignment.models[plain].parts(alignment.names[plain].place(name), tensor)


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
