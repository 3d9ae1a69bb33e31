"""Where plans are replayed: pools of settings with every answer, half of whose examples no plan sees."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.replay.pool import Pool, fine_grid, recorded
from hpo_bench.errors import UsageError
from landscapes import catalogue
from landscapes.card import Card
from landscapes.files import read_parquet
from landscapes.suites.boxes import WIDE

Array = NDArray[np.float64]
Places = NDArray[np.int64]

DENSE, SHIPPED, KEPT, SWEEPS = "dense", "landscapes", "kept-back", "sweeps"
SWEEP_COLUMNS = ("task", "prompt", "alpha", "id", "correct")
LEAST_SWEPT = 300
"""Tasks with fewer examples leave too few that are unseen."""


@dataclass(frozen=True, eq=False)
class Draw:
    """Which examples of a pool there are to tune on, and which are unseen.

    Attributes:
        pool: Of which.
        seed: Which draw.
        seen: Scores of the examples to tune on, in the order in which plans take them, of shape (n, k).
        unseen: Which of the pool's examples no plan sees.
    """

    pool: Pool
    seed: int
    seen: NDArray[np.float32]
    unseen: Places

    @classmethod
    def of(cls, pool: Pool, seed: int) -> Self:
        """Half the examples to tune on, in random order, and the other half unseen."""
        order = np.random.default_rng([seed, *pool.name.encode()]).permutation(pool.answers.shape[1])
        half = len(order) // 2
        return cls(pool, seed, pool.answers[:, order[:half]], order[half:])

    @property
    def search_seed(self) -> int:
        """Seed of a search on it: the same first points everywhere would make luck on one pool luck on all."""
        return int(np.random.default_rng([self.seed, 7, *self.pool.name.encode()]).integers(2**31))

    @cached_property
    def totals(self) -> NDArray[np.float32]:
        """Sums of scores over the first 0, 1, ... k examples, of shape (n, k + 1)."""
        return np.pad(self.seen.cumsum(axis=1, dtype=np.float32), ((0, 0), (1, 0)))

    @cached_property
    def truth(self) -> Array:
        """Mean score of each setting over the unseen examples, of shape (n,)."""
        return self.pool.answers[:, self.unseen].mean(axis=1, dtype=np.float64)

    @cached_property
    def best(self) -> float:
        """Score on the unseen examples of the setting that is best over all examples.

        Not the highest score on the unseen ones: that is luck in part, and more of it the fewer they are.
        """
        return float(self.truth[self.pool.worth.argmax()])

    @cached_property
    def base(self) -> float:
        """Score of the VLM as it is on the unseen examples."""
        return float(self.pool.base[self.unseen].mean(dtype=np.float64))


def dense(root: Path | None = None) -> Iterator[Pool]:
    """The fine grids of Task Arithmetic, box [0, 1.4] x [0, 1.4], test examples."""
    for name in catalogue.names(root):
        if (pool := fine_grid(name, catalogue.find(name, root))) is not None:
            yield pool


def shipped(root: Path | None = None) -> Iterator[Pool]:
    """The landscapes of the study's design: recorded grid and held-out settings together, test examples."""
    return _recorded(root, wide=False)


def kept_back(root: Path | None = None) -> Iterator[Pool]:
    """Those over the box of live tuning, which nothing here was chosen on: likewise."""
    return _recorded(root, wide=True)


def _recorded(root: Path | None, *, wide: bool) -> Iterator[Pool]:
    for name in catalogue.names(root):
        folder = catalogue.find(name, root)
        if (Card.read(folder / "card.yaml").design == WIDE) is not wide:
            continue
        if (pool := recorded(name, folder)) is not None:
            yield pool


def sweeps(path: Path) -> Iterator[Pool]:
    """Sweeps of one coefficient recorded elsewhere, which are not part of this package.

    Args:
        path: A parquet file with the columns task, prompt, alpha (from the base model, 0, to the tuned one, 1), id and
            correct. Tasks with fewer than 300 examples are left out.

    Raises:
        UsageError: If the columns are not these, or an example lacks an answer.
    """
    frame = read_parquet(path)
    if missing := [column for column in SWEEP_COLUMNS if column not in frame]:
        raise UsageError(f"{path} has no column {missing[0]!r}; it needs {', '.join(SWEEP_COLUMNS)}")
    for key, rows in frame.groupby(["task", "prompt"], sort=True):
        task, prompt = cast("tuple[object, object]", key)
        name = f"{task}-{prompt}"
        table = rows.pivot(index="alpha", columns="id", values="correct").astype(np.float32).sort_index()
        if table.isna().to_numpy().any():
            raise UsageError(f"{path}: an example of {name} was not answered at every alpha; leave it out")
        if table.shape[1] >= LEAST_SWEPT:
            answers = table.to_numpy()
            yield Pool(name, str(task), "audio", table.index.to_numpy(float)[:, None], answers, answers[-1])
