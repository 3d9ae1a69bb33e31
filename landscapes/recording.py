"""Real evaluations beside a landscape's grid that no surrogate is ever fitted to: they tell how far it can be trusted.

They lie in subfolders of the landscape's, each with grid, outcomes and a card that says `design`:

    held_out/   further settings, usually 200, spread evenly over the recorded box
    dense/      a fine grid beyond the recorded box
    masks/      a few DARE settings with many mask seeds each (column mask_seed)

All are scored on the test split, which tuning never sees.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes import card as cards
from landscapes import grid as grids
from landscapes import outcomes, vlm_answers
from landscapes.card import Card
from landscapes.errors import InvalidCardError
from landscapes.grid import RecordedGrid
from landscapes.outcomes import Outcomes, fingerprint
from landscapes.space import SearchSpace
from surrogates.base import Surrogate
from surrogates.extrema import Extremum

Array = NDArray[np.float64]

FOLDERS = {"held-out": "held_out", "dense": "dense", "masks": "masks"}
"""Where each design lies, below the landscape's folder."""
SPLIT = "test"
SHARED = ("pair", "benchmark", "method", "metric", "units", "checkpoints")
"""Keys that must be as on the landscape's own card, or the two were not recorded from the same thing."""
FREE = ("engine", "mask_seed")
"""Options of the merge that may differ: every engine gives the same merges, and masks have many seeds."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Settings that were merged and evaluated for real, and held out.

    Attributes:
        card: What was recorded, and in which box.
        grid: Its scores on the test split.
        answers: The file of per-example outcomes of the same settings, if there is one.
    """

    card: Card
    grid: RecordedGrid
    answers: Path | None

    @classmethod
    def read(cls, folder: Path, of: Card, *, design: str) -> Self | None:
        """What was held out of a landscape.

        Args:
            folder: The landscape's folder.
            of: The landscape's own card.
            design: held-out, dense or masks.

        Returns:
            None if nothing was recorded under that design.

        Raises:
            InvalidCardError: If the card is broken, or of something else than the landscape.
            InvalidGridError: If the grid cannot be used.
        """
        place = folder / FOLDERS[design]
        if not any((place / name).exists() for name in (cards.FILE, grids.FILE)):
            return None
        if not (place / cards.FILE).exists():
            raise InvalidCardError(
                f"{place} has no {cards.FILE}, as a recording that was interrupted at its end: the `hpo-bench record` "
                "that made it goes on; or delete that folder"
            )
        card = Card.read(place / cards.FILE)
        if card.design != design:
            raise InvalidCardError(f"{card.path}: design must be {design!r} here, not {card.design!r}")
        differing = [key for key in SHARED if getattr(card, key) != getattr(of, key)]
        if _merge_options(card) != _merge_options(of):
            differing.append("merge_options")
        if differing:
            raise InvalidCardError(
                f"{card.path}: {differing[0]} differs from {of.path}, so that it does not measure that "
                "landscape; record it again from the same pair"
            )
        if card.space.names != of.space.names:
            raise InvalidCardError(
                f"{card.path}: parameters must be {', '.join(of.space.names)}, not {', '.join(card.space.names)}"
            )
        answers = place / outcomes.FILE
        return cls(
            card=card,
            grid=RecordedGrid.read(place / grids.FILE, card.space, split=SPLIT),
            answers=answers if answers.exists() else None,
        )

    def outcomes(self) -> Outcomes | None:
        """How each test example was answered at each setting, rows as in `grid`; None where that was not recorded.

        Raises:
            InvalidGridError: If the file cannot be used, or has other settings than the grid.
        """
        return None if self.answers is None else Outcomes.matching(self.answers, self.grid, self.card.space)


class Recorded(Protocol):
    """What measures of a landscape ask of it: of `landscapes.landscape.Landscape`, which asks for them itself."""

    space: SearchSpace
    grid: RecordedGrid
    surrogate: Surrogate

    @cached_property
    def optimum(self) -> Extremum:
        """The certified global maximum."""
        ...

    @cached_property
    def noise(self) -> float:
        """Standard error of one evaluation at the optimum, in score units."""
        ...

    @cached_property
    def held_out(self) -> Truth | None:
        """Real evaluations in the box, which no surrogate was fitted to."""
        ...

    @cached_property
    def dense(self) -> Truth | None:
        """Real evaluations on a fine grid beyond the box."""
        ...

    @cached_property
    def masks(self) -> Truth | None:
        """Real evaluations of a few settings with many masks each."""
        ...

    @cached_property
    def outcomes(self) -> Outcomes | None:
        """How each example was answered at each recorded setting."""
        ...

    def score(self, x: ArrayLike) -> Array:
        """Scores of settings of shape (n, d), of shape (n,)."""
        ...

    def on(self, split: str) -> Self:
        """The same recording scored on another split."""
        ...


def hash_beside(folder: Path | None) -> str:
    """64 hexadecimal digits of every recorded file beside the grid and the card of a landscape; "" without any."""
    if folder is None:
        return ""
    held_out = [folder / sub / name for sub in FOLDERS.values() for name in (cards.FILE, grids.FILE, outcomes.FILE)]
    paths = [path for path in (folder / outcomes.FILE, folder / vlm_answers.FILE, *held_out) if path.exists()]
    return hashlib.sha256("".join(map(fingerprint, paths)).encode()).hexdigest() if paths else ""


def _merge_options(card: Card) -> dict[str, object]:
    return {key: value for key, value in card.merge_options.items() if key not in FREE}
