"""What was measured of a landscape, kept by content in the user's cache folder: measuring takes a second or so each.

A figure is found again only under the hash of everything it depends on: the recorded files, this package's and the
surrogates' own code, and the versions of the packages that compute. A cache that is missing, broken or cannot be
written costs nothing but the time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
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


def recall(key: str, compute: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Figures from the cache, or computed and kept.

    Args:
        key: Of everything recorded that the figures depend on.
        compute: Makes them: text, numbers, lists and mappings.

    Returns:
        What `compute` gives, whose numbers a file keeps to the last bit.
    """
    digest = hashlib.sha256(f"{key} {_code()}".encode()).hexdigest()
    path = None
    with suppress(OSError, RuntimeError):  # no home, or none that may be read
        path = folder() / f"{digest}.json"
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


@cache
def _code() -> str:
    """Of all code that measures, and what it computes with."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in COMPUTE).encode())
    for package in (Path(__file__).parent, Path(str(surrogates.__file__)).parent):
        for path in sorted(package.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
