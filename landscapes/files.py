"""Reading and writing files so that a crash never leaves half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from landscapes.errors import InvalidGridError, UnwritableError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place when the block ends well.

    A kill at any moment leaves the old file as it was. The temporary name is fixed, so that what a killed writer left
    is overwritten by the next; a file must therefore not have two writers at once.

    Raises:
        UnwritableError: If the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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
        return pq.read_table(path).to_pandas()


def read_schema(path: Path) -> pa.Schema:
    """Read what columns a parquet file has, from its foot: a file cut short has none.

    Raises:
        InvalidGridError: If it is missing or not readable as parquet.
    """
    with _readable(path):
        return pq.read_schema(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    if path.is_dir():
        raise InvalidGridError(f"{path} is a folder and not a parquet file; name the file")
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidGridError(f"{path} does not exist; record the landscape first") from error
    except PermissionError as error:
        raise InvalidGridError(f"{path} may not be read ({error.strerror}); change its permissions") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InvalidGridError(
            f"{path} is not a readable parquet file ({reason}); restore it, or record the landscape again"
        ) from error


def _forget(path: Path) -> None:
    # Where nothing can be written there may be nothing to remove, and the first error is the one to report.
    with suppress(OSError):
        path.unlink(missing_ok=True)
