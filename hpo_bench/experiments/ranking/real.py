"""The real thing: every evaluation merges the pair's weights and answers the benchmark's questions."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from transformers.utils.logging import disable_progress_bar

from hpo_bench.errors import ResultsError, UsageError
from hpo_bench.evaluation.examples import Split
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.experiments.ranking.objectives import REAL
from hpo_bench.files import as_record, whole_lines
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from landscapes.landscape import Landscape

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    x: tuple[float, ...]
    score: float
    seconds: float


class Cache:
    """Scores by exact setting, in a file of JSON lines that survives a kill at any moment.

    Args:
        path: The file; a last line that a kill cut short is dropped.
        belongs_to: What the scores are of; a file of something else is begun anew under another name.

    Raises:
        ResultsError: If the file is damaged.
    """

    def __init__(self, path: Path, *, belongs_to: str) -> None:
        self._path = path.with_name(f"{path.stem}-{hashlib.sha256(belongs_to.encode()).hexdigest()[:12]}{path.suffix}")
        self._scores: dict[tuple[float, ...], float] = {}
        self.seconds = 0.0
        cure = "delete it, and its evaluations are made again"
        for number, line in enumerate(whole_lines(self._path, wrong=ResultsError, cure=cure), start=1):
            entry = as_record(line, _Evaluated, where=f"{self._path}, line {number},", wrong=ResultsError, cure=cure)
            self._scores[entry.x] = entry.score
            self.seconds += entry.seconds

    def __len__(self) -> int:
        return len(self._scores)

    def get(self, x: Array) -> float | None:
        """The score of a setting, if it was evaluated before."""
        return self._scores.get(tuple(x.tolist()))

    def put(self, x: Array, score: float, *, seconds: float) -> None:
        """Keep a score; it is on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            # Shortest decimals that give the same number again.
            file.write(json.dumps({"x": x.tolist(), "score": score, "seconds": round(seconds, 4)}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._scores[tuple(x.tolist())] = score
        self.seconds += seconds


class ForReal:
    """A landscape's pair, merged and evaluated on its tuning split at every setting that is asked for.

    Weights are merged in memory by mergekit's arithmetic with the masks that the landscape was recorded with, so that
    recorded settings score what was recorded. Models are loaded when a setting is asked for that is not in the cache.

    Args:
        landscape: Its card says what was merged, and how.
        pair: The pair on disk.
        cache: Where evaluations are kept.

    Raises:
        UsageError: If the pair's files are not those that the landscape was recorded from.
    """

    kind = REAL
    noisy = False

    def __init__(self, landscape: Landscape, pair: Pair, cache: Path) -> None:
        card = landscape.card
        if pair.file_hashes() != {role: dict(files) for role, files in card.checkpoints.items()}:
            raise UsageError(
                f"the pair in {pair.folder} has other weights or examples than {landscape.name} was recorded from; "
                f"record it again with `hpo-bench record {pair.name} --method {card.method}`"
            )
        self.landscape, self.space = landscape.name, landscape.space
        self._card, self._pair = card, pair
        self._split: Split = cast(Split, landscape.grid.split)
        self.cache = Cache(cache, belongs_to=self.fingerprint)
        self._open: tuple | None = None

    @property
    def fingerprint(self) -> str:
        """Of checkpoints, options and split."""
        options = {k: v for k, v in self._card.merge_options.items() if k != "engine"}
        return json.dumps(
            [self._card.name, dict(self._card.checkpoints), options, self._split], sort_keys=True, default=dict
        )

    def tell(self, x: Array, *, seed: int, t: int) -> tuple[float, None]:
        """The score of a real merge; the same whatever the run, because the examples are."""
        return self.truth(x), None

    def truth(self, x: Array) -> float:
        """The score of a real merge."""
        known = self.cache.get(x)
        if known is not None:
            return known
        begin = time.perf_counter()
        resident, evaluator, vlm, examples = self._models()
        resident.merge(MergeSetting(self._card.method, **dict(zip(self.space.names, x.tolist(), strict=True))))
        score = evaluator.evaluate(vlm, examples).score
        self.cache.put(x, score, seconds=time.perf_counter() - begin)
        return score

    def _models(self) -> tuple:
        if self._open is None:
            disable_progress_bar()  # transformers would draw its own across ours
            loaded = LoadedPair.load(self._pair)
            seed = self._card.merge_options.get("mask_seed", 0)
            resident = Resident(loaded, masks="mergekit", mask_seed=seed if isinstance(seed, int) else 0)
            evaluator = open_evaluator(self._pair, loaded)
            self._open = (resident, evaluator, loaded.vlm, evaluator.examples(self._split))
        return self._open
