"""Where pairs lie: built ones in a folder of the user's, one shipped with the package."""

import difflib
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.merging.pair import Pair
from hpo_bench.nano.recipes import ENLARGED, RECIPES

SHIPPED = Path(__file__).parent / "shipped"
BUILT = Path("nano")


def find_pair(name: str, built: Path = BUILT) -> Pair:
    """A pair by name, or by the path of its folder.

    Args:
        name: A name, looked up among the built and then the shipped, or a path with a `pair.yaml` in it.
        built: Where built pairs lie.

    Raises:
        UsageError: If there is none, or its `pair.yaml` cannot be used.
    """
    folders = [Path(name), built / name, SHIPPED / name]
    for folder in folders:
        if (folder / "pair.yaml").is_file():
            return Pair.read(folder)
    if name in RECIPES or name in ENLARGED:
        raise UsageError(f"pair {name!r} is not built here yet: run `hpo-bench nano build {name}` first")
    known = sorted({*RECIPES, *ENLARGED, *(path.parent.name for path in SHIPPED.glob("*/pair.yaml"))})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"no pair is called {name!r}, nor is it a folder with a pair.yaml; {hint}known: {', '.join(known)}"
    )
