"""Settings of a merge with every answer to thousands of examples: what can be replayed as if it were tuned anew."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landscapes.card import Card
from landscapes.errors import InvalidGridError
from landscapes.outcomes import FILE, Outcomes
from landscapes.recording import SPLIT, Truth
from landscapes.suites.boxes import SUFFIX

Array = NDArray[np.float64]

VLM = (1.0, 0.0)
"""The VLM as it is, as a setting of Task Arithmetic."""


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

    @classmethod
    def of(cls, name: str, card: Card, X: Array, correct: Array, base: Array) -> Self:
        """Settings in the parameters' own units, and what came of them, as a pool."""
        X = card.space.to_unit(X)
        return cls(name, card.pair, card.domain, X, correct.astype(np.float32), base.astype(np.float32))

    @property
    def method(self) -> str:
        """What is merged by, in whichever box, or nothing for a sweep."""
        return self.name.partition("/")[2].removesuffix(SUFFIX)

    @property
    def dim(self) -> int:
        """Number of hyperparameters."""
        return self.X.shape[1]

    @cached_property
    def worth(self) -> Array:
        """Mean score of each setting over all examples, of shape (n,): the truth, as far as it is known."""
        return self.answers.mean(axis=1, dtype=np.float64)

    def nearest(self, points: Array) -> NDArray[np.int64]:
        """The setting nearest to each point of the cube, of shape (k,), for points of shape (k, d)."""
        return ((points[:, None] - self.X) ** 2).sum(axis=2).argmin(axis=1)


def recorded(name: str, folder: Path) -> Pool | None:
    """A landscape's recorded grid and what held-out settings there are, together, by their test examples.

    Args:
        name: What to call it.
        folder: The landscape's.

    Returns:
        None where answers were not recorded of test examples, or of the VLM as it is, on a fine grid of Task Arithmetic
        or on a grid itself, of the same checkpoints.

    Raises:
        LandscapeError: If a file cannot be used, or they are of different examples.
    """
    card = Card.read(folder / "card.yaml")
    held_out = Truth.read(folder, card, design="held-out")
    if not (folder / FILE).exists():
        return None
    vlm = _vlm(folder.parent, card)
    if vlm is None:
        return None
    parts = [Outcomes.read(folder / FILE, card.space, split=SPLIT)]
    if held_out is not None and (beside := held_out.outcomes()) is not None:
        parts.append(beside)
    if not all(np.array_equal(one.ids, vlm.ids) for one in parts):
        raise InvalidGridError(f"{folder}: grid, held-out settings and dense grid have different test examples")
    X, first = np.unique(np.concatenate([one.X for one in parts]), axis=0, return_index=True)
    return Pool.of(name, card, X, np.concatenate([one.correct for one in parts])[first], as_it_is(vlm))


@lru_cache(maxsize=1)
def fine(folder: Path) -> Outcomes | None:
    """The fine grid of a landscape; the last is kept, for landscapes of one pair come one after another."""
    if not (folder / "card.yaml").exists():
        return None
    truth = Truth.read(folder, Card.read(folder / "card.yaml"), design="dense")
    return None if truth is None else truth.outcomes()


def _vlm(pair: Path, like: Card) -> Outcomes | None:
    """Answers at settings of Task Arithmetic, the VLM as it is among them, of a recording of the same checkpoints."""
    for folder in (pair / "ta", pair / f"ta{SUFFIX}"):
        path = folder / "card.yaml"
        if path.exists() and (card := Card.read(path)).checkpoints == like.checkpoints:
            found = fine(folder) or _grid(folder, card)
            if found is not None:
                return found
    return None


def _grid(folder: Path, card: Card) -> Outcomes | None:
    """The grid itself, where it reaches to the VLM as it is."""
    if not (folder / FILE).exists():
        return None
    grid = Outcomes.read(folder / FILE, card.space, split=SPLIT)
    return grid if np.isclose(grid.X, VLM).all(axis=1).any() else None


def as_it_is(dense_answers: Outcomes) -> Array:
    """How a fine grid's VLM as it is answered, of shape (m,).

    Raises:
        InvalidGridError: If the grid lacks it.
    """
    place = np.flatnonzero(np.all(np.isclose(dense_answers.X, VLM), axis=1))
    if len(place) != 1:
        raise InvalidGridError("the dense grid lacks the VLM as it is, vl_weight 1 and exp_weight 0; record it again")
    return dense_answers.correct[place[0]]
