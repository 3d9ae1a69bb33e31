"""Which landscapes there are, and how to get one by name."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from landscapes import card as cards
from landscapes import grid as grids
from landscapes.errors import InvalidCardError, UnknownLandscapeError
from landscapes.landscape import Landscape
from landscapes.terms import OWN, TIERS
from surrogates import registry
from surrogates.spelling import nearest

ROOT = Path(__file__).parent / "recorded"
"""The landscapes that ship with the package, one a folder `<pair>/<method>`."""
SUGGESTIONS = 3
"""At most as many names are offered where one is unknown."""


def names(root: str | Path | None = None) -> list[str]:
    """Names of all landscapes under `root` (by default those that ship), in alphabetical order.

    A folder with a card or a grid is one: that the other is missing is said when it is loaded, and not passed over.

    Raises:
        UnknownLandscapeError: If `root` is no folder.
    """
    folder = ROOT if root is None else Path(root)
    if not folder.is_dir():
        raise UnknownLandscapeError(f"{folder} is not a folder; name one with PAIR/METHOD/card.yaml and grid.parquet")
    found = (path.parent for name in (cards.FILE, grids.FILE) for path in folder.glob(f"*/*/{name}"))
    return sorted({path.relative_to(folder).as_posix() for path in found})


def match(patterns: Iterable[str], root: str | Path | None = None) -> list[str]:
    """Names that any of the patterns means, in alphabetical order.

    Args:
        patterns: Full names, a pair or a method alone, any of them with `*` and `?` as in the shell: "ja-llama/ta",
            "ja-llama", "ties", "*/ties", "ja-*"; or a tier, "pretrained". None at all means every landscape.
        root: Where to look; by default among the landscapes that ship and then, for patterns that mean none of these,
            in `OWN`.

    Raises:
        UnknownLandscapeError: If a pattern means nothing; the message suggests the nearest names.
        LandscapeError: If a card cannot be used, where a tier is asked for.
    """
    patterns, places = list(patterns), _places(root)
    if not patterns:
        return names(root)
    chosen: set[str] = set()
    for pattern in patterns:
        hits = next(filter(None, (_hits(pattern, *place) for place in places.items())), [])
        if not hits:
            raise _unknown(pattern, places)
        chosen.update(hits)
    return sorted(chosen)


def find(name: str, root: str | Path | None = None) -> Path:
    """The folder of the landscape of that name.

    Args:
        name: "<pair>/<method>".
        root: Where to look; by default among the landscapes that ship, and then in `OWN`.

    Raises:
        UnknownLandscapeError: If there is none; the message suggests the nearest names.
    """
    places = _places(root)
    folder = next((folder for folder, known in places.items() if name in known), None)
    if folder is None:
        raise _unknown(name, places)
    return folder / name


def is_shadowed(name: str, root: str | Path) -> bool:
    """Whether a landscape of that name in `root` would never be found, because one that ships has the name."""
    return Path(root).resolve() == OWN.resolve() and name in names()


def load(name: str, *, surrogate: str | None = None, root: str | Path | None = None) -> Landscape:
    """The landscape of that name.

    Args:
        name: "<pair>/<method>".
        surrogate: Name of the surrogate, a radial kernel or gp (`surrogates.registry`); a thin-plate spline by default.
        root: Where to look; by default among the landscapes that ship, and then in `OWN`.

    Raises:
        UnknownLandscapeError: If there is none; the message suggests the nearest names.
        UnknownKernelError: If no kernel has that name.
        LandscapeError: If its files cannot be used.
    """
    folder = find(name, root)
    landscape = Landscape.read(folder, surrogate=registry.make(surrogate) if surrogate else None)
    if landscape.name != name:
        raise InvalidCardError(f"{landscape.card.path}: name {landscape.name!r} does not match the folder {name!r}")
    return landscape


def given(landscape: str | Landscape, *, root: str | Path | None = None) -> Landscape:
    """The landscape itself, or that of a name; errors as for `load`."""
    return landscape if isinstance(landscape, Landscape) else load(landscape, root=root)


def load_all(
    patterns: Iterable[str] = (), *, surrogate: str | None = None, root: str | Path | None = None
) -> list[Landscape]:
    """Every landscape that the patterns mean (all without any), in alphabetical order; see `match` and `load`."""
    return [load(name, surrogate=surrogate, root=root) for name in match(patterns, root)]


def _places(root: str | Path | None) -> dict[Path, list[str]]:
    """Which names each folder has, in the order in which folders are asked."""
    folders = [ROOT, *([OWN] if OWN.is_dir() else [])] if root is None else [Path(root)]
    return {folder: names(folder) for folder in folders}


def _hits(pattern: str, folder: Path, known: list[str]) -> list[str]:
    named = [name for name in known if any(fnmatchcase(part, pattern) for part in (name, *name.split("/")))]
    if named or pattern not in TIERS:
        return named
    described = [name for name in known if (folder / name / cards.FILE).exists()]
    return [name for name in described if cards.Card.read(folder / name / cards.FILE).tier == pattern]


def _unknown(name: str, places: dict[Path, list[str]]) -> UnknownLandscapeError:
    known = sorted({full for names in places.values() for full in names})
    folders = " or ".join(str(folder) for folder in places)
    place = "" if ROOT in places else f" in {folders}"
    if not known:
        return UnknownLandscapeError(
            f"no landscape is called {name!r}: none is recorded under {folders}; name another folder with "
            "--landscapes-dir"
        )
    # A pair or a method alone is near, too, and stands for every landscape that has it.
    parts = {part for full in known for part in full.split("/")}
    near = nearest(name, [*known, *sorted(parts)], at_most=SUGGESTIONS)
    meant = list(dict.fromkeys(full for one in near for full in known if one in (full, *full.split("/"))))
    hint = f"did you mean {' or '.join(meant[:SUGGESTIONS])}?" if meant else f"there are {', '.join(known)}"
    return UnknownLandscapeError(f"no landscape is called {name!r}{place}; {hint}")
