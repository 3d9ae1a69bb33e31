"""How much memory and disk there is, and refusals before either runs out."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from hpo_bench.display.words import gib
from hpo_bench.errors import MergeError

_SPARE = 1.05
"""Headroom for what is read and converted on the way."""
_CONTAINERS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", ("inactive_file", "active_file")),
    (
        Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)  # fmt: skip
"""Of both versions of control groups: folder, limit, use, and what of the use are files that were read."""


def available_memory(device: torch.device | str | None = None) -> int:
    """Free bytes on a device: of the machine or, where it is less, of the container.

    What the kernel keeps of files that were read counts as free, as it does for the machine: it makes room of it.
    """
    if device is not None and torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(torch.device(device))[0]
    free = psutil.virtual_memory().available
    for folder, limit, use, files in _CONTAINERS:
        try:
            most, used = (int((folder / name).read_text()) for name in (limit, use))
        except (OSError, ValueError):  # no such controller, or the limit is "max"
            continue
        free = min(free, most - max(used - _given_back(folder / "memory.stat", files), 0))
    return max(free, 0)


def _given_back(stat: Path, kinds: Sequence[str]) -> int:
    """Bytes of files that were read, which the kernel keeps as long as nobody needs the room."""
    try:
        rows = [line.split() for line in stat.read_text().splitlines()]
        return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] in kinds)
    except (OSError, ValueError):
        return 0


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
