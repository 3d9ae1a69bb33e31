"""How much memory and disk there is, and refusals before either runs out."""

import shutil
from pathlib import Path

import psutil
import torch

from hpo_bench.display.words import gib
from hpo_bench.errors import MergeError

_SPARE = 1.05
"""Headroom for what is read and converted on the way."""
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def available_memory(device: torch.device | str | None = None) -> int:
    """Free bytes on a device: of the machine or, where it is less, of the container."""
    if device is not None and torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(torch.device(device))[0]
    free = psutil.virtual_memory().available
    for limit, used in _LIMITS:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such controller, or the limit is "max"
            continue
    return max(free, 0)


def weight_bytes(vlm_elements: int, merged_elements: int, dtype: torch.dtype) -> int:
    """What a loaded pair holds: the VLM, and base, the VLM's own and the expert's weights of what is merged."""
    return (vlm_elements + 3 * merged_elements) * dtype.itemsize


def check_memory(needed: int, *, device: torch.device | str | None, what: str, instead: str) -> None:
    """Refuse before anything is loaded.

    Args:
        needed: Bytes.
        device: Where.
        what: What needs them.
        instead: What the user can do.

    Raises:
        MergeError: If they are not free.
    """
    free = available_memory(device)
    if needed * _SPARE > free:
        raise MergeError(f"{what} needs {gib(needed)} of memory, and {gib(free)} are free; {instead}")


def check_disk(needed: int, folder: Path, what: str) -> None:
    """Refuse before anything is written.

    Raises:
        MergeError: If the file system that the folder lies on, or will lie on, has not that many bytes free.
    """
    free = free_disk(folder)
    if needed * _SPARE > free:
        raise MergeError(f"{what} needs {gib(needed)} of disk, and {gib(free)} are free at {folder.absolute().parent}")


def free_disk(folder: Path) -> int:
    """Free bytes of the file system that a folder lies on, or will lie on."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(existing).free
