"""The real thing: every evaluation merges the pair's weights and answers the benchmark's questions."""

import copy
import glob
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo_bench.errors import ResultsError, UsageError
from hpo_bench.evaluation.examples import Split
from hpo_bench.experiments.opened import OpenedPair
from hpo_bench.experiments.ranking.guises import Guise
from hpo_bench.files import as_record, whole_lines
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from landscapes.landscape import Landscape
from landscapes.settings import as_array
from surrogates.extrema import Extremum

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    x: tuple[float, ...]
    score: float
    seconds: float


class Cache:
    """Scores by exact setting, in files of JSON lines that survive a kill at any moment, one a process that writes.

    Args:
        folder: Where they lie.
        name: How their names begin, and those of files of before.
        belongs_to: What the scores are of; what is of something else has another name.

    Raises:
        ResultsError: If a file is damaged.
    """

    def __init__(self, folder: Path, name: str, *, belongs_to: str) -> None:
        digest = hashlib.sha256(belongs_to.encode()).hexdigest()[:12]
        self._path = folder / f"{name}-{uuid4().hex[:8]}-{digest}.jsonl"
        self._scores: dict[tuple[float, ...], float] = {}
        self.seconds = 0.0
        cure = "delete it, and its evaluations are made again"
        for path in sorted(folder.glob(f"{glob.escape(name)}-*{digest}.jsonl")):
            for number, line in enumerate(whole_lines(path, wrong=ResultsError, cure=cure, mend=False), start=1):
                entry = as_record(line, _Evaluated, where=f"{path}, line {number},", wrong=ResultsError, cure=cure)
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


class ForReal(Guise):
    """A landscape's pair, merged and evaluated on its tuning split at every setting that is asked for.

    Weights are merged in memory by mergekit's arithmetic with the masks that the landscape was recorded with, so that
    recorded settings score what was recorded. Models are loaded when a setting is asked for that was not evaluated
    before; whatever the run, a setting has one score, because the examples are the same.

    Args:
        landscape: Its card says what was merged, and how.
        pair: The pair on disk.
        evaluations: Folder where evaluations are kept.
    """

    def __init__(self, landscape: Landscape, pair: Pair, evaluations: Path) -> None:
        super().__init__(landscape)
        self._pair, self._evaluations = pair, evaluations
        self._split: Split = cast(Split, landscape.grid.split)
        self._top = float(landscape.grid.scores.max())
        self._cache: Cache | None = None
        self._open: OpenedPair | None = None

    @property
    def fingerprint(self) -> str:
        """Of checkpoints, options and split."""
        options = {k: v for k, v in self.card.merge_options.items() if k != "engine"}
        return json.dumps(
            [self.card.name, dict(self.card.checkpoints), options, self._split], sort_keys=True, default=dict
        )

    @property
    def content_hash(self) -> str:
        """Of the fingerprint."""
        return hashlib.sha256(f"real merges {self.fingerprint}".encode()).hexdigest()

    @property
    def optimum(self) -> Extremum:
        """The best that was recorded, or is known to have been reached: nobody knows the real maximum."""
        return Extremum(np.full(self.space.dim, np.nan), self._top, np.nan)

    @property
    def minimum(self) -> Extremum:
        """The worst that was recorded."""
        return Extremum(np.full(self.space.dim, np.nan), float(self.landscape.grid.scores.min()), np.nan)

    def reaching(self, score: float) -> "ForReal":
        """The same where somebody is known to have reached a score."""
        other = copy.copy(self)
        other._top = max(self._top, score)
        return other

    def score(self, x: ArrayLike) -> Array:
        """Scores of real merges."""
        return np.array([self._score(one) for one in as_array(x, self.space.names)])

    def __getstate__(self) -> dict[str, Any]:
        """Without models, and what was read of evaluations, which others may have added to."""
        return {**self.__dict__, "_cache": None, "_open": None}

    @property
    def cache(self) -> Cache:
        """The evaluations that are kept."""
        if self._cache is None:
            self._cache = Cache(self._evaluations, self.name.replace("/", "_"), belongs_to=self.fingerprint)
        return self._cache

    def _score(self, x: Array) -> float:
        known = self.cache.get(x)
        if known is not None:
            return known
        begin = time.perf_counter()
        setting = MergeSetting(self.card.method, **dict(zip(self.space.names, x.tolist(), strict=True)))
        score = self._opened().merged(setting, self._split).score
        self.cache.put(x, score, seconds=time.perf_counter() - begin)
        return score

    def _opened(self) -> OpenedPair:
        """What merges and evaluates.

        Raises:
            UsageError: If the pair's files are not those that the landscape was recorded from.
        """
        if self._open is None:
            if self._pair.file_hashes() != {role: dict(files) for role, files in self.card.checkpoints.items()}:
                raise UsageError(
                    f"the pair in {self._pair.folder} has other weights or examples than {self.name} was recorded "
                    f"from; record it again with `hpo-bench record {self._pair.name} --method {self.card.method}`"
                )
            seed = self.card.merge_options.get("mask_seed", 0)
            self._open = OpenedPair(self._pair, masks="mergekit", mask_seed=seed if isinstance(seed, int) else 0)
        return self._open
