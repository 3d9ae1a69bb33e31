"""Settings of a merge with every answer to thousands of examples: what can be replayed as if it were tuned anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import UsageError
from landscapes import catalogue
from landscapes.card import Card
from landscapes.errors import InvalidGridError
from landscapes.files import read_parquet
from landscapes.outcomes import FILE, Outcomes
from landscapes.recording import SPLIT, Truth

Array = NDArray[np.float64]
Places = NDArray[np.int64]

VLM = (1.0, 0.0)
"""The VLM as it is, as a setting of Task Arithmetic."""
DENSE, SHIPPED, SWEEPS = "dense", "landscapes", "sweeps"
SWEEP_COLUMNS = ("task", "prompt", "alpha", "id", "correct")
LEAST_SWEPT = 300
"""Tasks with fewer examples leave too few that are unseen."""


@dataclass(frozen=True, eq=False)
class Pool:
    """One landscape's settings and how each was answered, example by example.

    Attributes:
        name: PAIR/METHOD, or what a sweep is called.
        pair: Of which models; the unit of inference.
        domain: What the benchmark is about.
        X: The settings in the unit cube, of shape (n, d).
        answers: Scores of the m examples at each, of shape (n, m).
        base: Scores of the VLM as it is, of shape (m,).
    """

    name: str
    pair: str
    domain: str
    X: Array
    answers: NDArray[np.float32]
    base: NDArray[np.float32]

    @property
    def dim(self) -> int:
        """Number of hyperparameters."""
        return self.X.shape[1]

    @cached_property
    def worth(self) -> Array:
        """Mean score of each setting over all examples, of shape (n,): the truth, as far as it is known."""
        return self.answers.mean(axis=1, dtype=np.float64)

    def nearest(self, points: Array) -> Places:
        """The setting nearest to each point of the cube, of shape (k,), for points of shape (k, d)."""
        return ((points[:, None] - self.X) ** 2).sum(axis=2).argmin(axis=1)

    def draw(self, seed: int) -> "Draw":
        """Half the examples to tune on, in random order, and the other half unseen."""
        order = np.random.default_rng([seed, *self.name.encode()]).permutation(self.answers.shape[1])
        half = len(order) // 2
        return Draw(self, seed, self.answers[:, order[:half]], order[half:])


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
        folder = catalogue.find(name, root)
        truth = Truth.read(folder, Card.read(folder / "card.yaml"), design="dense")
        if truth is not None and (answers := _fine(folder)) is not None:
            yield _pool(name, truth.card, answers.X, answers.correct, _vlm(answers))


def shipped(root: Path | None = None) -> Iterator[Pool]:
    """The landscapes that ship: recorded grid and held-out settings together, test examples."""
    for name in catalogue.names(root):
        folder = catalogue.find(name, root)
        card = Card.read(folder / "card.yaml")
        held_out = Truth.read(folder, card, design="held-out")
        beside, vlm = None if held_out is None else held_out.outcomes(), _fine(folder.parent / "ta")
        if beside is None or vlm is None:
            continue
        grid = Outcomes.read(folder / FILE, card.space, split=SPLIT)
        if not (np.array_equal(grid.ids, beside.ids) and np.array_equal(grid.ids, vlm.ids)):
            raise InvalidGridError(f"{folder}: grid, held-out settings and dense grid have different test examples")
        X, first = np.unique(np.concatenate((grid.X, beside.X)), axis=0, return_index=True)
        yield _pool(name, card, X, np.concatenate((grid.correct, beside.correct))[first], _vlm(vlm))


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


@lru_cache(maxsize=1)
def _fine(folder: Path) -> Outcomes | None:
    """The fine grid of a landscape; the last is kept, for landscapes of one pair come one after another."""
    truth = Truth.read(folder, Card.read(folder / "card.yaml"), design="dense")
    return None if truth is None else truth.outcomes()


def _pool(name: str, card: Card, X: Array, correct: Array, base: Array) -> Pool:
    X = card.space.to_unit(X)
    return Pool(name, card.pair, card.domain, X, correct.astype(np.float32), base.astype(np.float32))


def _vlm(dense_answers: Outcomes) -> Array:
    place = np.flatnonzero(np.all(np.isclose(dense_answers.X, VLM), axis=1))
    if len(place) != 1:
        raise InvalidGridError("the dense grid lacks the VLM as it is, vl_weight 1 and exp_weight 0; record it again")
    return dense_answers.correct[place[0]]
