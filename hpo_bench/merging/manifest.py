"""Reading `pair.yaml`: which keys there are, and what may stand under them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hpo_bench.errors import UsageError
from hpo_bench.merging.scope import MergeScope
from landscapes.written import Text, parse_record, read_yaml

ROLES = ("base", "vlm", "expert")
FILE = "pair.yaml"
_MODEL = {"write": "a folder beside it, or hf://owner/name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a `pair.yaml` says, as it is written there; `Pair` tells of each key."""

    name: Text = field(metadata={"write": "the pair's name"})
    base: Text = field(metadata=_MODEL)
    vlm: Text = field(metadata=_MODEL)
    expert: Text = field(metadata=_MODEL)
    examples: str = ""
    tier: str = ""
    domain: str = ""
    benchmark: str = ""
    licence: str = ""
    notes: str = ""
    traps: tuple[str, ...] = ()
    merge: MergeScope = field(default_factory=MergeScope)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    language_prefixes: Mapping[str, str] = field(default_factory=dict)
    trust_remote_code: bool = False

    @classmethod
    def read(cls, file: Path) -> "Manifest":
        """A pair's description, every key of which is known and of the right type.

        Raises:
            UsageError: If the file is missing, is not YAML, lacks a key, or has one twice, unknown
                or of the wrong type.
        """
        return parse_record(read_yaml(file, wrong=UsageError), cls, where=str(file), wrong=UsageError)


KEYS = tuple(one.name for one in fields(Manifest))
AS_WRITTEN = tuple(key for key in KEYS if key not in (*ROLES, "examples"))
"""What a pair has as its file says it; the others are places."""
