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


def read_section(options: Mapping[str, Any], kind: type[Kind], where: str) -> Kind:
    """Options as a dataclass has them.

    Args:
        options: The section.
        kind: Its fields are the options; see `landscapes.written.parse_record`.
        where: Where the section stands.

    Raises:
        UsageError: If one is missing, unknown or makes no sense.
    """
    return parse_record(options, kind, where=where, wrong=UsageError)


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
