"""Writing a model's folder: refused before any work if it cannot be, whole at the end or not there at all."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISREG

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import save_file

from hpo_bench.display.words import first_line
from hpo_bench.errors import MergeError, UsageError
from hpo_bench.files import check_room

_PREFIX = ".hpo-bench-unfinished-"
_LOCK, _MODEL = "lock", "model"
_FRESH = 60.0


@contextmanager
def finished_folder(folder: Path, *, apart_from: Iterable[Path] = ()) -> Iterator[Path]:
    """A scratch folder beside the wanted one, which takes its name at the end, or is gone if anything fails.

    Two writers of one folder have a scratch each, and the one that ends first has the name. A scratch is locked while
    its process lives, and the lock dies with it, even by a kill: the next writer beside it removes what is not locked.

    Args:
        folder: What is wanted; must not exist yet, or be empty.
        apart_from: Folders that it may not lie in.

    Raises:
        UsageError: If the folder cannot be had, as for `check_free`, or somebody else took it meanwhile.
        MergeError: If something cannot be written.
    """
    check_free(folder, apart_from=apart_from)
    wanted = _place(folder)
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(wanted.parent)
        holder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=wanted.parent))
    except OSError as error:
        raise MergeError(f"{folder} cannot be made: {error.strerror or error}") from error
    try:
        with FileLock(holder / _LOCK):  # let go by the system when the process ends, however it ends
            scratch = holder / _MODEL
            scratch.mkdir()
            yield scratch
            check_free(folder, apart_from=apart_from)
            scratch.rename(wanted)  # which replaces an empty folder, and nothing else
    except OSError as error:
        raise MergeError(f"{folder} cannot be written: {error.strerror or error}; nothing is left of it") from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def check_free(folder: Path, *, apart_from: Iterable[Path] = ()) -> None:
    """Refuse a folder that a model cannot be written to, before any work.

    Args:
        folder: Where a model is to be.
        apart_from: Folders that it may not lie in.

    Raises:
        UsageError: If it exists and is not empty, is a link or a mount point, is where the user stands, lies in one of
            the folders it may not lie in, or cannot be made.
    """
    try:
        if folder.is_symlink():
            raise UsageError(f"{folder} is a link; name the folder that you mean, or remove the link")
        wanted = _place(folder)
        if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
            raise UsageError(f"{folder} exists already; choose another folder, or remove it")
    except OSError as error:
        raise UsageError(f"{folder} cannot be used: {error.strerror}; choose another folder") from error
    if Path.cwd().is_relative_to(wanted) or wanted.is_mount():
        what = "a mount point" if wanted.is_mount() else "where you stand"
        raise UsageError(f"{folder} is {what}, and is replaced as a whole at the end; name a folder inside it")
    for other in apart_from:
        if wanted.is_relative_to(other.resolve()):
            raise UsageError(f"{folder} lies in {other}, which is read for the merge; choose a folder elsewhere")
    check_room(wanted.parent, folder)


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, *, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, with the permissions that any other new file has.

    Raises:
        MergeError: If it cannot be written, as when the disk is full.
    """
    try:
        path.touch()
        mode = S_IMODE(path.stat().st_mode)
        save_file(dict(tensors), path, metadata=dict(metadata))  # which makes a private file, and renames it
        path.chmod(mode)
    except (OSError, SafetensorError) as error:
        raise MergeError(f"{path.name} cannot be written: {first_line(error)}; nothing is left of it") from error


def _place(folder: Path) -> Path:
    """Where it is, without following a link that it is itself."""
    return folder.resolve() if folder.name in ("", "..") else folder.parent.resolve() / folder.name


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left.

    In a folder that others may write to, anything may bear our prefix: only what this user made is looked into, and no
    link is followed. What is not locked may be about to be, and is given a minute.
    """
    for holder in parent.glob(f"{_PREFIX}*"):
        with suppress(Timeout, OSError):
            if not _is_own(holder, S_ISDIR):
                continue
            lock, fresh = holder / _LOCK, time.time() - holder.lstat().st_mtime < _FRESH
            begun = all(os.path.lexists(path) for path in (lock, holder / _MODEL))
            if fresh and not begun:
                continue
            if os.path.lexists(lock) and not _is_own(lock, S_ISREG):
                continue
            with FileLock(lock, timeout=0):
                shutil.rmtree(holder, ignore_errors=True)


def _is_own(path: Path, kind: Callable[[int], bool]) -> bool:
    found = path.lstat()
    return kind(found.st_mode) and found.st_uid == os.geteuid()
