"""What was measured or drawn of a landscape, kept in the user's cache folder: each takes a second or so.

It is used again only where all that it depends on is the same: the recorded files, this package's and the surrogates'
own code, whatever other code made it, and the versions of the packages that compute. What other code makes of the same
recording takes its place, so that the folder grows with recordings alone. A cache that is missing, broken or cannot be
written costs nothing but the time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import surrogates
from landscapes.errors import UnreadableError, UnwritableError
from landscapes.files import replacing
from landscapes.written import read_json

COMPUTE = ("numpy", "scipy", "scikit-learn")


def folder() -> Path:
    """Where figures are kept: `hpo-bench` in $XDG_CACHE_HOME, by default ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The standard has relative paths ignored.
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "hpo-bench"


def recall(key: str, compute: Callable[[], Mapping[str, Any]], *, code: str = "") -> Mapping[str, Any]:
    """Figures from the cache, or computed and kept.

    Args:
        key: What they are, and of everything recorded that they depend on.
        compute: Makes them: text, numbers, lists and mappings.
        code: Hash of the code that they depend on, beside this package and the surrogates.

    Returns:
        What `compute` gives, whose numbers a file keeps to the last bit.
    """
    digest = _hash(f"{key} {_code()} {code}")
    path = None
    with suppress(OSError, RuntimeError):  # no home, or none that may be read
        path = folder() / f"{_hash(key)}.json"
    kept = None if path is None else _read(path, digest)
    if kept is not None:
        return kept
    found = compute()
    if path is not None:
        _write(path, {"digest": digest, "figures": found})
    return found


def _read(path: Path, digest: str) -> Mapping[str, Any] | None:
    try:
        content = read_json(path)
    except UnreadableError:
        return None
    whole = isinstance(content, dict) and content.get("digest") == digest
    figures = content.get("figures") if whole else None
    return figures if isinstance(figures, dict) else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with suppress(UnwritableError), replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def code_hash(folders: Iterable[Path], packages: Iterable[str]) -> str:
    """Of all modules in and below folders, and of the versions of packages that they compute with."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in packages).encode())
    for path in (path for one in folders for path in sorted(one.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _code() -> str:
    return code_hash((Path(__file__).parent, Path(str(surrogates.__file__)).parent), COMPUTE)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
