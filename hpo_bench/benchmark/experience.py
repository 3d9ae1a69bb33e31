"""First points from experience: settings that together were good on landscapes recorded of other pairs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_bench.errors import UsageError
from landscapes import card as cards
from landscapes import catalogue
from landscapes import grid as grids
from landscapes.card import Card
from landscapes.grid import RecordedGrid
from landscapes.recording import Truth
from landscapes.space import SearchSpace

Array = NDArray[np.float64]

POINTS = 4
"""As many as GP-BO begins with."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Experience:
    """An initial design, and what it was learnt from.

    Attributes:
        settings: Of shape (k, d), in the hyperparameters' own units; the first is the best on average.
        landscapes: Names of the landscapes.
    """

    settings: Array
    landscapes: tuple[str, ...]


def learnt(worths: Array, count: int = POINTS) -> list[int]:
    """So many settings of which the best loses least on landscapes, on average; chosen one after the other.

    A set of solvers that complement each other, as portfolios are built (Wistuba, Schilling and Schmidt-Thieme,
    "Sequential model-free hyperparameter tuning", 2015).

    Args:
        worths: Scores of n settings on each landscape, of shape (landscapes, n), to be maximised.
        count: How many, at most n.

    Returns:
        Their places.
    """
    best, held = worths.max(axis=1), np.full(len(worths), -np.inf)
    chosen: list[int] = []
    for _ in range(min(count, worths.shape[1])):
        lost = (best[:, None] - np.maximum(held[:, None], worths)).mean(axis=0)
        lost[chosen] = np.inf  # each once, even where no other is better anywhere
        chosen.append(int(lost.argmin()))
        held = np.maximum(held, worths[:, chosen[-1]])
    return chosen


def experience(
    method: str, space: SearchSpace, *, pair: str, root: Path | None = None, count: int = POINTS
) -> Experience:
    """What recorded landscapes of other pairs say about where to begin.

    Candidates are the settings that most of them share: those of the fine grid where one was recorded, else of the
    grid.

    Args:
        method: Merge method of the landscapes.
        space: The box to begin in, by the names of its hyperparameters.
        pair: Whose landscapes are left out, so that nothing is known of what is tuned.
        root: Where landscapes lie; by default those that ship.
        count: How many settings.

    Raises:
        UsageError: If no landscape of another pair has a setting inside the box.
        LandscapeError: If a file cannot be used.
    """
    found = list(_recorded(method, space, pair, root))
    shapes = Counter(one.X.tobytes() for _, one in found)
    usual = next(iter(shapes.most_common(1)), (b"", 0))[0]
    kept = [(name, one) for name, one in found if one.X.tobytes() == usual]
    X = kept[0][1].X if kept else np.empty((0, space.dim))
    inside = ((space.low - ROUNDING <= X) & (space.high + ROUNDING >= X)).all(axis=1)
    if not inside.any():
        raise UsageError(
            f"there is no experience with {method} on {', '.join(space.names)} in this box but of {pair} itself: no "
            "landscape of another pair is recorded there; begin elsewhere"
        )
    worths = np.array([one.scores[inside] for _, one in kept])
    places = learnt(worths, count)
    return Experience(np.clip(X[inside][places], space.low, space.high), tuple(name for name, _ in kept))


def _recorded(method: str, space: SearchSpace, pair: str, root: Path | None) -> Iterator[tuple[str, RecordedGrid]]:
    for name in catalogue.names(root):
        folder = catalogue.find(name, root)
        if not (folder / cards.FILE).exists() or name.partition("/")[2] != method or name.partition("/")[0] == pair:
            continue
        card = Card.read(folder / cards.FILE)
        if card.space.names != space.names or card.pair == pair:
            continue
        fine = Truth.read(folder, card, design="dense")
        yield name, fine.grid if fine else RecordedGrid.read(folder / grids.FILE, card.space, split=card.tuning_split)
