"""Reading and writing files so that a crash never leaves half of one."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from landscapes.errors import InvalidGridError, UnwritableError
from landscapes.written import check_regular

STALE_SECONDS = 3600.0
SCRATCH, NEW, OLD = ".replacing", "new", "old"
"""Where a folder is made, in the root that it goes to, and where the one that it replaces waits meanwhile."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place when the block ends well.

    A kill at any moment leaves the old file as it was. The temporary file is made by this writer and by nobody else,
    through no link; what a killed writer left is removed by the next one an hour later, when no other can be at it.

    Raises:
        UnwritableError: If the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
            if time.time() - left.lstat().st_mtime > STALE_SECONDS:
                _forget(left)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _forget(temporary)
        raise UnwritableError(f"{path} cannot be written ({error.strerror or error})") from error
    except BaseException:
        _forget(temporary)
        raise


@contextmanager
def replacing_folder(root: Path, name: str) -> Iterator[Path]:
    """A new folder to fill, which becomes `root/name` when the block ends well, and is gone if it does not.

    One writer at a time in `root`; a second one waits. A folder that is replaced is put aside just before: a kill
    between the two renamings leaves neither there, and the next writer in `root` puts the old one back. A kill at any
    other moment leaves the old folder as it was.

    Args:
        root: A folder, made if need be.
        name: Where below it, as PAIR/METHOD.

    Raises:
        UnwritableError: If something cannot be written.
    """
    target, scratch = root / name, root / SCRATCH
    made, aside = scratch / NEW / name, scratch / OLD / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{SCRATCH}.lock"):
            _clear(scratch, root)
            try:
                if scratch.is_symlink():
                    raise UnwritableError(f"{scratch} is a link, which is not written through; remove it")
                made.mkdir(parents=True)
                yield made
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    aside.parent.mkdir(parents=True)
                    target.rename(aside)
                made.rename(target)
            finally:
                _clear(scratch, root)
    except UnwritableError:
        raise
    except OSError as error:
        raise UnwritableError(f"{target} cannot be written ({error.strerror or error})") from error


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as zstd-compressed parquet, atomically; equal tables give equal bytes."""
    with replacing(path) as temporary:
        # Metadata of pandas names versions and index, which would make equal tables differ.
        pq.write_table(
            table.replace_schema_metadata(None),
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=True,
        )


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a parquet file.

    Raises:
        InvalidGridError: If it is missing or not readable as parquet.
    """
    with _readable(path):
        # Without the metadata of pandas, which would hide a column that once was an index.
        return pq.read_table(path).to_pandas(ignore_metadata=True)


def read_schema(path: Path) -> pa.Schema:
    """Read what columns a parquet file has, from its foot: a file cut short has none.

    Raises:
        InvalidGridError: If it is missing or not readable as parquet.
    """
    with _readable(path):
        return pq.read_schema(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    check_regular(path, wrong=InvalidGridError)
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InvalidGridError(
            f"{path} is not a readable parquet file ({reason}); restore it, or record the landscape again"
        ) from error


def _clear(scratch: Path, root: Path) -> None:
    """Remove what a writer left, but for a folder that it had put aside and could not replace any more."""
    if scratch.is_symlink():
        return
    old = scratch / OLD
    for aside in old.glob("*/*"):
        if not (target := root / aside.relative_to(old)).exists():
            aside.rename(target)
    shutil.rmtree(scratch, ignore_errors=True)


def _forget(path: Path) -> None:
    # Where nothing can be written there may be nothing to remove, and the first error is the one to report.
    with suppress(OSError):
        path.unlink(missing_ok=True)
