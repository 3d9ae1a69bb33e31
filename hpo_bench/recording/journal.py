"""An append-only record of settings already merged and evaluated, which survives a kill at any moment."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpo_bench.errors import RecordingError
from hpo_bench.files import as_record, whole_lines

CURE = "delete it to record from the start"


@dataclass(frozen=True, slots=True)
class RecordedScores:
    """What was measured at one setting, or of the VLM as it is.

    Attributes:
        parameters: Hyperparameters by name; none of the VLM as it is.
        merge_seconds: Wall time of the merge.
        eval_seconds: Wall time of the evaluation of each split.
        scores: For each split the score of every example, in the order of the examples.
        mask_seed: Seed of DARE's masks, where one recording has several; else None.
    """

    parameters: dict[str, float]
    merge_seconds: float
    eval_seconds: dict[str, float]
    scores: dict[str, list[float]]
    mask_seed: int | None = None


class Journal:
    """Entries in a file of JSON lines, the first of which says what they belong to.

    The file appears with the first entry. A last line that a kill cut short is dropped.

    Args:
        path: The file.
        header: What the entries belong to; must be what the file says, if there is one.

    Attributes:
        entries: What the file holds, oldest first.

    Raises:
        RecordingError: If the file belongs to something else, or is damaged.
    """

    def __init__(self, path: Path, *, header: dict[str, Any]) -> None:
        self._path = path
        self._header = header
        lines = whole_lines(path, wrong=RecordingError, cure=CURE)
        if lines and lines[0] != header:
            if not isinstance(lines[0], dict):
                raise RecordingError(f"{path}, line 1: does not say what was recorded; {CURE}")
            differing = [key for key in header if lines[0].get(key) != header[key]]
            raise RecordingError(
                f"{path} was begun with other {', '.join(differing) or 'options'}; finish it with those, or delete it"
            )
        self.entries = [
            as_record(line, RecordedScores, where=f"{path}, entry {number},", wrong=RecordingError, cure=CURE)
            for number, line in enumerate(lines[1:], start=1)
        ]

    def append(self, entry: RecordedScores) -> None:
        """Add an entry; it is on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            if not self.entries and file.tell() == 0:
                file.write(json.dumps(self._header) + "\n")
            file.write(json.dumps(asdict(entry)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)


def journalled(path: Path) -> int:
    """How many entries a journal holds; 0 where there is none.

    Raises:
        RecordingError: If it is damaged.
    """
    return max(len(whole_lines(path, wrong=RecordingError, cure=CURE)) - 1, 0)
