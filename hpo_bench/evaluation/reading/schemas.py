"""What files with types tell of their columns."""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa


def unified(several: Sequence[pa.Schema]) -> pa.Schema | None:
    """The schema of several files together; the first one's where they disagree, and none where there is none."""
    try:
        return pa.unify_schemas(list(several)) if several else None
    except pa.ArrowException:
        return several[0]


def classes_of(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of classes that `datasets` stores as numbers, by column."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
        return {
            name: list(map(str, feature["names"]))
            for name, feature in features.items()
            if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, AttributeError, TypeError):
        return {}
