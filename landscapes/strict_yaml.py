"""YAML in which no key is given twice: PyYAML keeps the last one and says nothing, so a typing error would rule."""

from typing import Any

import yaml


def load(text: str) -> Any:
    """What a YAML text holds, plain values alone.

    Raises:
        yaml.YAMLError: If it is not YAML, or a mapping has a key twice; with a `problem` and a `problem_mark`.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, below)


def problem(error: yaml.YAMLError) -> str:
    """What is wrong and on which line, to stand after a file's name."""
    mark = getattr(error, "problem_mark", None)
    words = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"line {mark.line + 1}" if mark else "as a whole"
    return f"{place}: {words}" if isinstance(error, _RepeatedKeyError) else f"{place} is not YAML ({words})"


class _RepeatedKeyError(yaml.MarkedYAMLError):
    pass


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not where values are made, by when `<<` has added keys that this mapping may override.
        node = super().compose_mapping_node(anchor)
        first: dict[tuple[str, str], yaml.Mark] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            before = first.setdefault((key.tag, key.value), key.start_mark)
            if before is not key.start_mark:
                raise _RepeatedKeyError(
                    problem=f"key {key.value!r} was given on line {before.line + 1} already; leave one out",
                    problem_mark=key.start_mark,
                )
        return node
