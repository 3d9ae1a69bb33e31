"""What tuning itself takes: what a trial waits for beside its merge and its evaluation."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from hpo_bench.benchmark.store import write
from hpo_bench.errors import LiveError
from hpo_bench.records import read_record

FILE = "overhead.json"
PARTS = {
    "ask": "the optimiser proposes a setting",
    "tell": "it learns what came of it",
    "store": "trial and answers are on disk",
    "show": "table or line in the terminal",
}


def _nothing() -> dict[str, float]:
    return dict.fromkeys(PARTS, 0.0)


@dataclass(slots=True)
class Overhead:
    """Seconds of the tuner's own process, by part.

    Redrawing the table while a trial runs is not in it: nobody waits for that.

    Attributes:
        trials: How many trials finished meanwhile.
        wall: Wall seconds of each of `PARTS`.
        processor: The processor's seconds, all threads together: what is left of them on a machine that is busy
            otherwise, or has a slow disk.
    """

    trials: int = 0
    wall: dict[str, float] = field(default_factory=_nothing)
    processor: dict[str, float] = field(default_factory=_nothing)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what happens in the block to a part."""
        wall, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[part] += time.perf_counter() - wall
            self.processor[part] += time.process_time() - processor

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.trials + other.trials,
            {part: self.wall[part] + other.wall[part] for part in PARTS},
            {part: self.processor[part] + other.processor[part] for part in PARTS},
        )

    @property
    def each(self) -> tuple[float, float]:
        """Wall and processor seconds a trial, all parts together; 0 before the first trial."""
        n = max(self.trials, 1)
        return sum(self.wall.values()) / n, sum(self.processor.values()) / n

    def write(self, folder: Path) -> None:
        """Keep it in a study's folder."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        write(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What was kept there; nothing spent if there is none.

        Raises:
            LiveError: If the file is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return cls()
        cure = "delete it, no trial is lost"
        kept = read_record(path, cls, wrong=LiveError, cure=cure, whole=True)
        if set(PARTS) != set(kept.wall) or set(PARTS) != set(kept.processor):
            raise LiveError(f"{path} is damaged: it has other parts than {', '.join(PARTS)}; {cure}")
        return kept
