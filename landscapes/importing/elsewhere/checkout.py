"""A checkout of somebody's repository made into landscapes: what a publication is, and how its sweeps are placed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscapes import catalogue
from landscapes.card import Card
from landscapes.errors import FlatLandscapeError, InvalidCardError, InvalidGridError, UnwritableError
from landscapes.importing.landscape import check, of_sweep, place
from landscapes.importing.sweep import Sweep
from landscapes.landscape import Landscape
from landscapes.written import read_text

Report = Callable[[str], None]
"""Is told, in a sentence, of something that is wrong with what was published, and what becomes of it."""


@dataclass(frozen=True, slots=True)
class PublishedSweep:
    """One landscape's worth of a publication.

    Attributes:
        name: PAIR/WHAT.
        sweep: What was recorded.
        about: Keys of its card: benchmark, base, metric, units, split_rule, merge_options, notes and,
            where examples were not, asked_alike.
        path: Where it stands, for messages.
    """

    name: str
    sweep: Sweep
    about: Mapping[str, Any]
    path: Path


@dataclass(frozen=True, slots=True)
class Publication:
    """A public repository with sweeps of merges.

    Attributes:
        name: What it is called on the command line.
        about: What was swept, in words.
        repository: Where it is, as host/owner/name.
        commit: Against which commit the reader was checked.
        date: When that was made.
        licence: Of what it holds.
        citation: The paper.
        read: Yields its sweeps from a checkout; what is wrong with them goes to the second argument.
    """

    name: str
    about: str
    repository: str
    commit: str
    date: str
    licence: str
    citation: str
    read: Callable[[Path, Report], Iterator[PublishedSweep]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a checkout.

    Attributes:
        landscapes: Those that were made.
        defects: What is wrong with what was published, and what became of it, a sentence each.
    """

    landscapes: tuple[Landscape, ...]
    defects: tuple[str, ...]


def import_publication(
    publication: Publication, path: Path, *, root: Path, command: str, replace: bool = False
) -> Imported:
    """Make landscapes of a checkout: all of it is read and checked before any is written, each of them whole.

    Args:
        publication: What it is a checkout of.
        path: Its folder; nothing in it is run or changed.
        root: Folder of landscapes.
        command: What made them, for their cards.
        replace: Whether landscapes of these names may be replaced.

    Raises:
        InvalidGridError: If the folder is no such checkout, nothing in it makes a landscape, or a file in it cannot be
            read or used; file and row are named.
        UnwritableError: If one exists, would never be found, or cannot be written.
    """
    defects: list[str] = []
    commit = head(path)
    if commit not in (None, publication.commit):
        defects.append(
            f"the checkout is at commit {commit}, and its reader was checked at {publication.commit}: look at the "
            "figures before you trust them"
        )
    found = list(publication.read(path, defects.append))
    if twice := [name for name, count in Counter(one.name for one in found).items() if count > 1]:
        raise InvalidGridError(
            f"{path}: several of its sweeps would be called {twice[0]}, so that something is missing by which they are "
            "told apart; fetch the whole repository"
        )
    if (there := [one.name for one in found if (root / one.name).exists()]) and not replace:
        raise UnwritableError(f"{root / there[0]} exists; replace it, and whatever else is there, with --replace")
    if shadowed := [one.name for one in found if catalogue.is_shadowed(one.name, root)]:
        raise UnwritableError(f"{shadowed[0]} ships with the package; give another folder with --out")
    checked = []
    for one in found:
        card = _card(publication, one, commit=commit, command=command)
        try:
            check(one.sweep, card)
            checked.append((one.sweep, card))
        except FlatLandscapeError:
            defects.append(f"{one.name}: all scores are equal, which makes no landscape; left out")
    if not checked:
        raise InvalidGridError(f"{path}: nothing in it makes a landscape ({'; '.join(defects)}); fetch it anew")
    return Imported(tuple(place(sweep, card, root) for sweep, card in checked), tuple(defects))


def _card(publication: Publication, one: PublishedSweep, *, commit: str | None, command: str) -> Card:
    try:
        return Card(
            **of_sweep(one.name, one.sweep),
            domain="other",
            method="other",
            licence=publication.licence,
            citation=f"{publication.citation} https://{publication.repository}, commit {commit or 'not known'}.",
            date=publication.date,
            command=command,
            path=one.path,
            **one.about,
        )
    except InvalidCardError as error:
        raise InvalidGridError(f"{one.path}: {error}; fetch it anew") from error


def head(path: Path) -> str | None:
    """The commit that a checkout is at; None if that is not to be seen, as in an unpacked archive."""
    git = path / ".git"
    try:
        at = read_text(git / "HEAD", wrong=InvalidGridError).strip()
        if not at.startswith("ref: "):
            return at
        name = at.removeprefix("ref: ")
        loose = git / name
        if ".." not in name and loose.is_file():
            return read_text(loose, wrong=InvalidGridError).strip()
        packed = read_text(git / "packed-refs", wrong=InvalidGridError)
        return next((line.split()[0] for line in packed.splitlines() if line.endswith(f" {name}")), None)
    except InvalidGridError:
        return None


def missing(publication: str, path: Path, what: str, repository: str) -> InvalidGridError:
    """That a folder is no checkout of what it is given as."""
    return InvalidGridError(
        f"{path} has no {what}; `import {publication}` takes the folder of a checkout of https://{repository}"
    )
