"""The section `evaluation:` of a pair.yaml: where it stands, its options, and what of it is not shown."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from hpo_bench.display.printing import without_passwords
from hpo_bench.errors import UsageError
from hpo_bench.merging.manifest import FILE
from hpo_bench.merging.pair import Pair
from landscapes.written import parse_record

_SECRET = re.compile(r"(^|[_.-]|api)(key|token|secret|password|passwd|pwd|authorization|credentials?)$", re.IGNORECASE)

Kind = TypeVar("Kind")


def source(pair: Pair) -> str:
    """Where a pair's section on its evaluation stands, for messages."""
    return f"{pair.folder / FILE}, evaluation"


def read_section(pair: Pair, options: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Options of an evaluation as a dataclass has them.

    Args:
        pair: Whose they are.
        options: The section without its `kind`.
        kind: Its fields are the options; see `landscapes.written.parse_record`.

    Raises:
        UsageError: If one is missing, unknown or makes no sense.
    """
    return parse_record(options, kind, where=source(pair), wrong=UsageError, beside=("kind",))


def without_secrets(value: Any) -> Any:
    """The same with "***" for what stands under keys such as `api_key`, `token` or `password`, at any depth.

    So do users and passwords of URLs, wherever a text has some.
    """
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, Mapping):
        return {
            key: "***" if isinstance(key, str) and _SECRET.search(key) else without_secrets(inner)
            for key, inner in value.items()
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list | tuple) else value
