"""The answers of a trial, example by example, as a parquet file."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.benchmark.store import write
from hpo_bench.errors import LiveError
from hpo_bench.tuning.trial import Answers, writable


def write_answers(path: Path, answers: Answers) -> None:
    """Write a file whole or not at all; it is on disk when this returns.

    Args:
        path: The parquet file, with the columns id, category, score and, where the model generated, response.
        answers: What to write.
    """
    columns: dict[str, pa.Array] = {
        "id": pa.array(map(writable, answers.ids), pa.string()),
        "category": pa.array(map(writable, answers.categories), pa.string()),
        "score": pa.array(answers.scores, pa.float64()),
    }
    if answers.responses:
        columns["response"] = pa.array(map(writable, answers.responses), pa.string())

    def save(place: Path) -> None:
        with place.open("wb") as file:
            pq.write_table(pa.table(columns), file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())

    write(path, save)
    _sync_folder(path.parent)


def read_answers(path: Path) -> Answers:
    """Read such a file.

    Raises:
        LiveError: If it is missing or damaged.
    """
    try:
        table = pq.read_table(path)
        return Answers(
            ids=tuple(table["id"].to_pylist()),
            categories=tuple(table["category"].to_pylist()),
            scores=np.asarray(table["score"].to_numpy(), dtype=np.float64),
            responses=tuple(table["response"].to_pylist()) if "response" in table.column_names else (),
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise LiveError(
            f"{path}: the answers of a trial cannot be read ({str(error).splitlines()[0]}); put the file back"
        ) from error


def _sync_folder(folder: Path) -> None:
    """A renamed file is safe from power loss only when its folder is on disk as well."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
