"""What a trial leaves on disk: its answers, example by example, as a parquet file; or the log of its failure."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hpo_bench.errors import TuningError
from hpo_bench.evaluation.base import Answers
from hpo_bench.files import write
from hpo_bench.tuning.trial import Failure, Trial, plain, writable
from landscapes.errors import UnreadableError
from landscapes.written import check_regular


def write_answers(path: Path, answers: Answers) -> None:
    """Write a file whole or not at all; it is on disk when this returns.

    Args:
        path: The parquet file, with the columns id, category, score and, where the model generated, response.
        answers: What to write.

    Raises:
        ResultsError: If it cannot be written, as on a full disk.
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


_COLUMNS = {"id": pa.string(), "category": pa.string(), "score": pa.float64(), "response": pa.string()}


def read_answers(path: Path) -> Answers:
    """Read such a file.

    Raises:
        TuningError: If it is missing or damaged.
    """
    cure = "put the file back"
    try:
        check_regular(path)
        table = pq.read_table(path)
        columns = {
            name: table[name].combine_chunks().cast(kind)
            for name, kind in _COLUMNS.items()
            if name != "response" or name in table.column_names
        }
    except (UnreadableError, OSError, KeyError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TuningError(f"{path}: the answers of a trial cannot be read ({reason}); {cure}") from error
    scores = np.asarray(columns["score"].to_numpy(zero_copy_only=False), dtype=np.float64)
    if any(column.null_count for column in columns.values()) or not np.isfinite(scores).all():
        raise TuningError(f"{path}: some answers of a trial are missing; {cure}")
    return Answers(
        ids=tuple(columns["id"].to_pylist()),
        categories=tuple(columns["category"].to_pylist()),
        scores=scores,
        responses=tuple(columns["response"].to_pylist()) if "response" in columns else (),
    )


def _sync_folder(folder: Path) -> None:
    """A renamed file is safe from power loss only when its folder is on disk as well."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_log(folder: Path, trial: Trial, failure: Failure) -> Path:
    """Write all that is known of a failure.

    Args:
        folder: The study's.
        trial: The trial that failed.
        failure: Why.

    Returns:
        Where it is, relative to the folder.

    Raises:
        ResultsError: If it cannot be written, as on a full disk.
    """
    log = Path("logs") / f"trial-{trial.number:04d}.log"
    text = f"{plain(trial.setting)}\n{failure.kind}: {failure.reason}\n\n{failure.details}\n"
    write(folder / log, text)
    return log
