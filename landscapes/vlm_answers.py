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
from landscapes.errors import InvalidGridError
from landscapes.files import read_parquet, write_parquet
from landscapes.outcomes import checked_answers, stored_answers

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

    @classmethod
    def matching(cls, folder: Path, ids: NDArray[np.object_], *, split: str) -> Self | None:
        """Likewise, to just the examples that the settings of a landscape answered.

        Args:
            folder: The landscape's.
            ids: Of these examples, sorted.
            split: validation or test.

        Raises:
            InvalidGridError: If the file cannot be used, or is of other examples.
        """
        found = cls.read(folder, split=split)
        if found is not None and not np.array_equal(found.ids, ids):
            raise InvalidGridError(
                f"{folder / FILE}: the VLM as it is answered other {split} examples than the settings did; record or "
                "add the landscape again, or delete the file"
            )
        return found


def write_vlm_answers(path: str | Path, rows: pd.DataFrame) -> None:
    """Write the file whole or not at all.

    Args:
        path: The parquet file; an existing one is replaced in one step.
        rows: The columns that this module's docstring names, in any order of rows and columns.

    Raises:
        InvalidGridError: If the rows could not be read again; nothing is written then.
        UnwritableError: If the file cannot be written.
    """
    path = Path(path)
    write_parquet(path, pa.table(stored_answers(_checked(rows, path))))


def _checked(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    checked = pd.DataFrame(checked_answers(frame.reset_index(drop=True), path))
    tables.refuse_repeats(checked[["split", "id"]], path, "example")
    return checked.sort_values(["split", "id"], kind="stable", ignore_index=True)
