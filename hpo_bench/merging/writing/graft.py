"""A copy of a VLM's folder with other language weights: everything else is the VLM's, bit for bit."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint, TensorInfo, index_text
from hpo_bench.merging.engine.memory import check_disk
from hpo_bench.merging.writing.auxiliary import auxiliary_files, copy_auxiliary
from hpo_bench.merging.writing.folder import finished_folder, save_tensors


def graft(
    alignment: Alignment,
    language: Callable[[str], torch.Tensor],
    folder: Path,
    *,
    texts: Callable[[Path], Mapping[str, str]] = lambda _: {},
) -> Path:
    """Write the VLM with other language weights, one shard in memory at a time.

    Shards, names, dtypes and all other files are the VLM's own, so that what loads the VLM loads the copy.

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
    vlm = alignment.checkpoints["vlm"]
    check_disk(vlm.bytes, folder, "the merged model")
    auxiliary_files(vlm.folder)  # refused before any work
    with finished_folder(folder, apart_from=alignment.folders) as scratch:
        copy_auxiliary(vlm.folder, scratch)
        for file in vlm.files:
            tensors: dict[str, torch.Tensor] = {}
            written: set[str] = set()
            for name in vlm.of_file(file):
                theirs = alignment.merged_name(name)
                if theirs is not None:
                    new = _checked(language(theirs), vlm.tensors[name], theirs)
                    # A head that is stored beside the embeddings it is tied to: a file holds no tensor twice.
                    tensors[name] = new.clone() if theirs in written else new
                    written.add(theirs)
                else:
                    tensors[name] = alignment.read("vlm", name)
            with safe_open(vlm.folder / file, framework="pt") as source:
                metadata = source.metadata() or {"format": "pt"}
            save_tensors(tensors, scratch / file, metadata=metadata)
        if vlm.index is not None:
            (scratch / vlm.index).write_text(index_text(vlm.tensors), encoding="utf-8")
        if Checkpoint.open(scratch).tensors != vlm.tensors:
            raise MergeError(f"{scratch}: what was written is not what was meant to be; is the disk sound?")
        for name, text in texts(scratch).items():
            (scratch / name).write_text(text, encoding="utf-8")
    return folder


def _checked(new: torch.Tensor, old: TensorInfo, name: str) -> torch.Tensor:
    if tuple(new.shape) != old.shape:
        raise MergeError(f"{name}: the merged weights are {tuple(new.shape)}, and the VLM's {old.shape}")
    stored = new.detach().to(device="cpu", dtype=old.dtype).contiguous()
    if not torch.isfinite(stored).all():
        raise MergeError(
            f"{name}: merged weights are NaN, infinite or too large for {str(old.dtype).removeprefix('torch.')}; "
            "use smaller weights"
        )
    return stored
