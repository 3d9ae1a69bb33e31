"""Finding a pair by what a user types: a name, a folder, a file, or three paths."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.merging.manifest import FILE, ROLES
from hpo_bench.merging.pair import Pair
from landscapes import catalogue
from surrogates.spelling import did_you_mean

SHIPPED = Path(__file__).parents[1] / "nano" / "shipped"
BUILT = Path("nano")

READY = Path(__file__).parent / "pairs"
"""The study's six pairs and some of today's models, all of them on the hub and none of them run here."""


def find_pair(name: str, built: Path = BUILT) -> Pair:
    """A pair by name or path.

    Args:
        name: The name of a ready, a built or a shipped pair; a YAML file; or a folder with a `pair.yaml`.
        built: Where built nano pairs lie.

    Raises:
        UsageError: If there is none, or its description cannot be used.
    """
    if not name.strip():
        raise UsageError(f"a pair's name is not {name!r}: give a name, a folder with a {FILE}, or a YAML file")
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return Pair.read(path)
    for folder in (path, built / name, SHIPPED / name):
        if (folder / FILE).is_file():
            return Pair.read(folder)
    if name in ready_names():
        return Pair.read(READY / f"{name}.yaml")
    trained = sorted({landscape.partition("/")[0] for landscape in catalogue.names()})
    if any(name == pair or name.startswith(f"{pair}-") for pair in trained):
        raise UsageError(f"pair {name!r} is not built here yet: run `hpo-bench nano build {name}` first")
    known = [*sorted({*trained, *(path.parent.name for path in SHIPPED.glob(f"*/{FILE}"))}), *ready_names()]
    here = [str(path.parent) for path in Path().glob(f"*/{FILE}")]
    hint = did_you_mean(name, [*known, *here])
    raise UsageError(f"no pair is called {name!r}, nor is it a folder with a {FILE}; {hint}known: {', '.join(known)}")


def as_pair(pair: Pair | str | Path, built: Path = BUILT) -> Pair:
    """A pair as it is given in Python: itself, or what `find_pair` finds it by.

    Args:
        pair: The pair, its name, or a path.
        built: Where built nano pairs lie.

    Raises:
        UsageError: If it is none of these, or there is none.
    """
    if isinstance(pair, Pair):
        return pair
    if not isinstance(pair, str | Path):
        raise UsageError(f"a pair is given as its name, its path, or what load_pair returns, not as {pair!r}")
    return find_pair(str(pair), built)


def given(
    name: str | None,
    *,
    base: str | None,
    vlm: str | None,
    expert: str | None,
    built: Path = BUILT,
    language_prefixes: Mapping[str, str] | None = None,
) -> Pair:
    """A pair by name, or by three places.

    Args:
        name: As for `find_pair`.
        base: A folder, or hf://owner/name.
        vlm: Likewise.
        expert: Likewise.
        built: Where built nano pairs lie.
        language_prefixes: How names of the VLM's language tensors begin, and how a language model's do, in place of
            what the pair says; empty or None for that.

    Raises:
        UsageError: If both or neither are given, or the three are not complete.
    """
    places = {"base": base, "vlm": vlm, "expert": expert}
    if name is not None:
        if any(places.values()):
            raise UsageError("give either PAIR or its models' places (--vlm and the like), not both")
        pair = find_pair(name, built)
        return replace(pair, language_prefixes=dict(language_prefixes)) if language_prefixes else pair
    if base is None or vlm is None or expert is None:
        missing = ", ".join(f"--{role}" for role in ROLES if places[role] is None)
        raise UsageError(f"give PAIR, or all of --base, --vlm and --expert (missing: {missing})")
    return Pair.of(base=base, vlm=vlm, expert=expert, language_prefixes=language_prefixes)


def vlm_of(
    name: str | None, *, vlm: str | None, built: Path = BUILT, language_prefixes: Mapping[str, str] | None = None
) -> Pair:
    """A pair of which the VLM alone counts, by the pair's name or the VLM's place.

    Args:
        name: As for `find_pair`.
        vlm: A folder, or hf://owner/name; stands for base and expert as well.
        built: Where built nano pairs lie.
        language_prefixes: As for `given`.

    Raises:
        UsageError: If both or neither are given, or there is none.
    """
    if vlm is None and name is None:
        raise UsageError("give PAIR or --vlm")
    return given(name, base=vlm, vlm=vlm, expert=vlm, built=built, language_prefixes=language_prefixes)


def ready_names() -> tuple[str, ...]:
    """Names of pairs of real models on the hub, whose files come with this package."""
    return tuple(sorted(path.stem for path in READY.glob("*.yaml")))


def choose(names: Sequence[str], built: Path) -> list[Pair]:
    """The pairs of those names; every built or shipped one without any, in alphabetical order.

    Args:
        names: Names or folders.
        built: Where built pairs lie.

    Raises:
        UsageError: If there is none of a name, or two have the same.
    """
    if not names:
        names = sorted({path.parent.name for folder in (built, SHIPPED) for path in folder.glob("*/pair.yaml")})
    pairs = [find_pair(name, built) for name in names]
    known = [pair.name for pair in pairs]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise UsageError(f"pair {twice[0]!r} is given twice; leave one out")
    return pairs
