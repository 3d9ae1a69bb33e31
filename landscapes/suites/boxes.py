"""One pair and method in two boxes: the study's, and the wider one that live tuning searches.

Each is a landscape of its own. The study's is called PAIR/METHOD, as ja-llama/ta, and its grid is the study's; the wide
one PAIR/METHOD-wide, over [0, 1.4] for every coefficient, where nearly all optima lie inside.
"""

from collections.abc import Sequence
from pathlib import Path

from landscapes import card as cards
from landscapes import catalogue
from landscapes.card import Card
from landscapes.landscape import Landscape

STUDY, WIDE = "study", "wide"
"""What their cards call them."""
SUFFIX = "-wide"


def usual(root: str | Path | None = None) -> list[str]:
    """Names of what a benchmark runs unasked: the wide box of each pair and method, else what there is.

    Args:
        root: Where landscapes lie; by default those that ship.

    Raises:
        LandscapeError: If there is no such folder, or a card cannot be used.
    """
    folder = catalogue.ROOT if root is None else Path(root)
    known = catalogue.names(folder)
    return [name for name in known if not (name + SUFFIX in known and _are_two_boxes(folder / name))]


def study() -> list[str]:
    """Names of the landscapes that ship in the study's box."""
    return [name for name in catalogue.names() if _design(catalogue.ROOT / name) == STUDY]


def in_the_study(landscapes: Sequence[Landscape]) -> list[Landscape]:
    """For what stands beside the study's figures: of each landscape the one in the study's box, where there is one."""
    return [_narrow(landscape) or landscape for landscape in landscapes]


def _narrow(wide: Landscape) -> Landscape | None:
    if wide.folder is None or wide.card.design != WIDE or not wide.name.endswith(SUFFIX):
        return None
    folder = wide.folder.with_name(wide.folder.name.removesuffix(SUFFIX))
    if not (folder / cards.FILE).exists() or _design(folder) != STUDY:
        return None
    return Landscape.read(folder, surrogate=wide.surrogate)


def _are_two_boxes(folder: Path) -> bool:
    return (_design(folder), _design(folder.with_name(folder.name + SUFFIX))) == (STUDY, WIDE)


def _design(folder: Path) -> str:
    return Card.read(folder / cards.FILE).design
