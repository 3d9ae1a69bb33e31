"""Reading `pair.yaml`: which keys there are, and what may stand under them."""

from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from landscapes.written import read_yaml
from surrogates.nearest import did_you_mean

ROLES = ("base", "vlm", "expert")
FILE = "pair.yaml"
TEXTS = ("tier", "domain", "benchmark", "licence", "notes")
SECTIONS = ("evaluation", "calibration", "merge", "language_prefixes")
KEYS = ("name", *ROLES, "examples", *TEXTS, *SECTIONS, "traps", "trust_remote_code")
_WORDS = {str: "text", dict: "a mapping", list: "a list of texts", bool: "true or false"}


def read_manifest(file: Path) -> dict[str, Any]:
    """A pair's description, every key of which is known and of the right type.

    Raises:
        UsageError: If the file is missing, is not YAML, lacks a key, or has one twice, unknown
            or of the wrong type.
    """
    content = read_yaml(file, wrong=UsageError)
    if not isinstance(content, dict):
        raise UsageError(f"{file}: must be a mapping with the keys name, {', '.join(ROLES)}")
    for key in content:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS).strip() or f"there are: {', '.join(KEYS)}"
            raise UsageError(f"{file}: unknown key {key!r}; {hint}")
    for key in ("name", *ROLES):
        if not isinstance(content.get(key), str):
            what = "the pair's name" if key == "name" else "a folder beside it, or hf://owner/name"
            raise UsageError(f"{file}: key {key!r} is missing or not text; write {what}")
    wanted: dict[str, type] = {
        **dict.fromkeys(("examples", *TEXTS), str),
        **dict.fromkeys(SECTIONS, dict),
        "traps": list,
        "trust_remote_code": bool,
    }
    for key, kind in wanted.items():
        if key in content and not isinstance(content[key], kind):
            raise UsageError(f"{file}: {key!r} must be {_WORDS[kind]}")
    for key in ("language_prefixes", "traps"):
        value = content.get(key, {})
        texts = [*value, *value.values()] if isinstance(value, dict) else value
        if not all(isinstance(text, str) for text in texts):
            raise UsageError(f"{file}: everything under {key!r} must be text")
    return content
