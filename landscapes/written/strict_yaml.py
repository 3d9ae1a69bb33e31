"""YAML of plain values under keys that are text, none of them given twice.

PyYAML keeps the last of two equal keys and says nothing, so a typing error would rule. It also makes dates, sets and
bytes of what looks like them, goes in circles with anchors, and lets a file of a kilobyte stand for one of gigabytes.
Here a date is text, aliases (which are fine) count as often as they are used, and the rest is refused.
"""

from typing import Any

import yaml

from landscapes.written.plain import DEPTH, NotPlainError, check_text, whole

NODES = 100_000
"""Values in a file, those that an alias repeats as well."""
_PLAIN = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge", "value")
}


class YamlError(ValueError):
    """A text is no YAML, or holds what no file should; the message begins with the line."""


def load(text: str) -> Any:
    """What a YAML text holds: mappings, lists, texts, numbers, true, false and null.

    Raises:
        YamlError: If it is not YAML, has a key twice, or holds anything but plain values of a reasonable size.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, below)
    except _RefusedError as error:
        raise YamlError(f"{_place(error)}: {error.problem}") from error
    except yaml.YAMLError as error:
        words = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise YamlError(f"{_place(error)} is not YAML ({words}); correct it") from error
    except RecursionError as error:
        raise YamlError("as a whole: is nested too deeply; flatten it") from error


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark else "as a whole"


class _RefusedError(yaml.MarkedYAMLError):
    pass


class _Loader(yaml.SafeLoader):
    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _measure(node, {})
        return node

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEPTH:  # before the stack ends, which takes long to come to
            mark = self.peek_event().start_mark
            raise _RefusedError(problem=f"is nested more than {DEPTH} levels deep; flatten it", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and node.tag not in _PLAIN:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            raise _RefusedError(
                problem=f"{tag} has no meaning here; write text, numbers, lists and mappings",
                problem_mark=node.start_mark,
            )
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not where values are made, by when `<<` has added keys that this mapping may override.
        node = super().compose_mapping_node(anchor)
        first: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in (
                "tag:yaml.org,2002:str",
                "tag:yaml.org,2002:merge",
            ):
                shown = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise _RefusedError(
                    problem=f"key {shown} is not text; put it in quotes if it is meant", problem_mark=key.start_mark
                )
            before = first.setdefault(key.value, key.start_mark)
            if before is not key.start_mark:
                raise _RefusedError(
                    problem=f"key {key.value!r} was given on line {before.line + 1} already; leave one out",
                    problem_mark=key.start_mark,
                )
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                check_text(value)
            elif isinstance(value, int) and not isinstance(value, bool):
                whole(str(value))
        except NotPlainError as error:
            raise _RefusedError(problem=str(error), problem_mark=node.start_mark) from error
        except (ValueError, OverflowError, KeyError, IndexError) as error:  # an int of 5,000 digits, !!bool of a word
            shown = node.value[:40] if isinstance(node, yaml.ScalarNode) else "it"
            kind = node.tag.rpartition(":")[2]
            raise _RefusedError(problem=f"{shown!r} is no {kind}; correct it", problem_mark=node.start_mark) from error
        return value


# A day is written without quotes, and read as it is written, possible or not: whoever wants one checks it.
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Values in a node and levels below it, aliases followed; a node of another is done once."""
    if id(node) in known:
        nodes, levels = known[id(node)]
        if not nodes:
            raise _RefusedError(
                problem="an alias stands for what it stands in; write it out", problem_mark=node.start_mark
            )
        return nodes, levels
    known[id(node)] = (0, 0)  # being measured
    below = []
    if isinstance(node, yaml.SequenceNode):
        below = [_measure(one, known) for one in node.value]
    elif isinstance(node, yaml.MappingNode):
        below = [_measure(one, known) for pair in node.value for one in pair]
    nodes, levels = 1 + sum(n for n, _ in below), 1 + max((n for _, n in below), default=0)
    if nodes > NODES:
        raise _RefusedError(
            problem=f"holds more than {NODES:,} values with its aliases; is it the right file?",
            problem_mark=node.start_mark,
        )
    if levels > DEPTH:
        raise _RefusedError(
            problem=f"is nested more than {DEPTH} levels deep; flatten it", problem_mark=node.start_mark
        )
    known[id(node)] = (nodes, levels)
    return nodes, levels
