"""How the VLM as it is, before any merge, answered a landscape's examples: what a merge gains is measured from there.

`vlm.parquet` lies beside `outcomes.parquet` and has the same columns but for the parameters: split, id, category and
correct.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from landscapes import tables
from landscapes.files import read_parquet, write_parquet
from landscapes.outcomes import COLUMNS, WORDS

FILE = "vlm.parquet"


@dataclass(frozen=True, slots=True, eq=False)
class VlmAnswers:
    """The VLM's own answers to the examples of one split.

    Attributes:
        ids: The examples' ids, of shape (m,), sorted.
        correct: The score of each, of shape (m,); 0 or 1 unless there is partial credit.
    """

    ids: NDArray[np.object_]
    correct: NDArray[np.float64]

    @classmethod
    def read(cls, folder: Path, *, split: str) -> Self | None:
        """Of a landscape.

        Args:
            folder: The landscape's.
            split: validation or test.

        Returns:
            None if the VLM as it is was not asked, or not on that split.

        Raises:
            InvalidGridError: If the file cannot be used; the message names row and column.
        """
        path = folder / FILE
        if not path.exists():
            return None
        frame = _checked(read_parquet(path), path)
        frame = frame[frame["split"] == split]
        return None if frame.empty else cls(frame["id"].to_numpy(object), frame["correct"].to_numpy(np.float64))


def write(folder: Path, rows: pd.DataFrame) -> None:
    """Write the file whole or not at all; one that is there is replaced in one step.

    Args:
        folder: The landscape's.
        rows: The columns that this module's docstring names, in any order of rows and columns.

    Raises:
        InvalidGridError: If the rows could not be read again; nothing is written then.
        UnwritableError: If the file cannot be written.
    """
    frame = _checked(rows, folder / FILE)
    correct = frame["correct"].to_numpy(np.float64)
    binary = bool(np.isin(correct, (0.0, 1.0)).all())
    arrays = {name: pa.array(frame[name]).dictionary_encode() for name in WORDS}
    write_parquet(folder / FILE, pa.table(arrays | {"correct": pa.array(correct.astype(bool) if binary else correct)}))


def _checked(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    tables.require(frame, COLUMNS, path)
    frame = frame.reset_index(drop=True)
    clean: dict[str, object] = {name: tables.words(frame, name, path) for name in WORDS}
    clean["correct"] = tables.numbers(frame, "correct", path)
    checked = pd.DataFrame(clean)
    tables.refuse_repeats(checked[["split", "id"]], path, "example")
    return checked.sort_values(["split", "id"], kind="stable", ignore_index=True)
