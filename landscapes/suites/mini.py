"""The mini-suite: ten of the landscapes that ship, which together are as all are that a benchmark runs unasked.

Chosen by the energy distance (Székely and Rizzo, 2013) between the features of the chosen and those of all: twice the
mean distance from one to the other, less that among the chosen. It is least where the chosen are spread as all are, so
that a mean over them is near a mean over all, without weights; no optimiser has a say. Star discrepancy asks the same
of boxes, and is not to be had in eight dimensions.

    python -m landscapes.suites.mini

chooses anew and writes `landscapes/recorded/mini.yaml`: after landscapes were added, or were recorded anew so that the
choice is no longer nearer to all than random ones are. Many choices are as near as the nearest, so that a small change
of one landscape would choose others, and a suite that changes with every recording compares with nothing.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from landscapes import catalogue
from landscapes.errors import UnknownLandscapeError
from landscapes.files import replacing
from landscapes.landscape import Landscape
from landscapes.suites import boxes
from landscapes.suites.features import features, standardised
from landscapes.written import read_yaml

NAME = "mini"
SIZE = 10
SEEDS = 5
"""Of each optimiser on each landscape, unasked: half as many as elsewhere, for haste.

`docs/measured.md` says how well the ranking holds.
"""
FILE = catalogue.ROOT / "mini.yaml"


def names() -> list[str]:
    """The landscapes of the mini-suite, in alphabetical order.

    Raises:
        UnknownLandscapeError: If the file that names them is broken.
    """
    content = read_yaml(FILE, wrong=UnknownLandscapeError)
    if not isinstance(content, list) or not all(isinstance(one, str) for one in content):
        raise UnknownLandscapeError(f"{FILE} must be a list of names; run `python -m landscapes.suites.mini`")
    return content


def choose(landscapes: Sequence[Landscape], size: int = SIZE) -> list[str]:
    """The landscapes whose features are spread most nearly as those of all, in alphabetical order.

    One after another, whichever brings the energy distance lowest, then exchanged one for one as long as that lowers it
    further; of equals the first by name.

    Args:
        landscapes: All there are.
        size: How many; all if there are no more.
    """
    ordered = sorted(landscapes, key=lambda one: one.name)
    return [ordered[place].name for place in nearest_subset(distances(ordered), size)]


def distances(landscapes: Sequence[Landscape]) -> NDArray[np.floating]:
    """How far the features of n landscapes are apart, of shape (n, n)."""
    spread = standardised([features(one) for one in landscapes])
    return cdist(spread, spread)


def energy(apart: NDArray[np.floating], chosen: Sequence[int]) -> float:
    """Energy distance of some members of a set to the whole set, but for what is the same for all choices.

    Args:
        apart: Distances within the set, of shape (n, n).
        chosen: The members.
    """
    return float(2 * apart.mean(axis=1)[[*chosen]].mean() - apart[np.ix_(chosen, chosen)].mean())


def nearest_subset(apart: NDArray[np.floating], size: int) -> list[int]:
    """Members of a set whose energy distance to the whole set is least, as far as single exchanges find it, sorted.

    Args:
        apart: Distances, of shape (n, n).
        size: How many members.
    """
    count = len(apart)
    if size >= count:
        return list(range(count))
    chosen: list[int] = []
    while len(chosen) < size:
        left = [place for place in range(count) if place not in chosen]
        chosen.append(min(left, key=lambda place: energy(apart, [*chosen, place])))
    best = energy(apart, chosen)
    while True:
        exchanges = [
            (energy(apart, [*chosen[:i], place, *chosen[i + 1 :]]), i, place)
            for i in range(size)
            for place in range(count)
            if place not in chosen
        ]
        least, i, place = min(exchanges)
        if least >= best - 1e-12:
            return sorted(chosen)
        chosen[i], best = place, least


def write(path: Path = FILE) -> list[str]:
    """Choose among what a benchmark runs of the landscapes that ship, and keep the names."""
    found = choose(catalogue.load_all(boxes.usual()))
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(found, sort_keys=False), encoding="utf-8")
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join([*write(), ""]))
