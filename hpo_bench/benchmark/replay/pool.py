"""Settings of a merge with every answer to thousands of examples: what can be replayed as if it were tuned anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landscapes.card import Card
from landscapes.errors import InvalidGridError
from landscapes.outcomes import FILE, Outcomes
from landscapes.recording import SPLIT, Truth
from landscapes.suites.boxes import SUFFIX
from landscapes.vlm_answers import VlmAnswers

Array = NDArray[np.float64]


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
        None where answers were not recorded of test examples, or of the VLM as it is.

    Raises:
        LandscapeError: If a file cannot be used, or they are of different examples.
    """
    card = Card.read(folder / "card.yaml")
    if not (folder / FILE).exists() or SPLIT not in card.n_examples:
        return None
    parts = [Outcomes.read(folder / FILE, card.space, split=SPLIT)]
    held_out = Truth.read(folder, card, design="held-out")
    if held_out is not None and (beside := held_out.outcomes()) is not None:
        if not np.array_equal(beside.ids, parts[0].ids):
            raise InvalidGridError(f"{held_out.answers}: other test examples than the grid's; record them again")
        parts.append(beside)
    return _pool(name, folder, card, parts)


def fine_grid(name: str, folder: Path) -> Pool | None:
    """A landscape's fine grid (`--design dense`), likewise."""
    truth = Truth.read(folder, Card.read(folder / "card.yaml"), design="dense")
    answers = None if truth is None else truth.outcomes()
    return None if truth is None or answers is None else _pool(name, folder, truth.card, [answers])


def _pool(name: str, folder: Path, card: Card, parts: Sequence[Outcomes]) -> Pool | None:
    vlm = VlmAnswers.matching(folder, parts[0].ids, split=SPLIT)
    if vlm is None:
        return None
    X, first = np.unique(np.concatenate([one.X for one in parts]), axis=0, return_index=True)
    return Pool.of(name, card, X, np.concatenate([one.correct for one in parts])[first], vlm.correct)
