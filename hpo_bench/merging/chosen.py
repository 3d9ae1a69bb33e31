"""Which pairs to compare on."""

from collections.abc import Sequence
from pathlib import Path

from hpo_bench.errors import UsageError
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.shelf import SHIPPED


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
