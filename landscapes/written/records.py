"""Records from what people write: a dataclass says which keys there are and what may stand under them.

Pydantic compares the two, by the rules of a file: no text is taken for a number, and no number for true or false. What
is wrong becomes one line with file, key and cure. It is imported when something is read, not before, since that takes a
tenth of a second; so what a field says beyond its type comes from `annotated_types`, or from here.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from annotated_types import Ge, Le, MinLen

from landscapes.errors import UnreadableError
from surrogates.spelling import did_you_mean

_SHOWN = 80
_MAPPING = "must hold keys and values"
_LIST = "must be a list"
_PROBLEMS = {
    "bool_type": "must be true or false",
    "dataclass_type": _MAPPING,
    "dict_type": _MAPPING,
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:g}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le:g}",
    "list_type": _LIST,
    "string_too_short": "must be text",
    "string_type": "must be text",
    "too_short": "must be a list of at least {min_length}",
    "tuple_type": _LIST,
}
"""What is wrong with a value, by what pydantic calls it; anything else is told in pydantic's words."""
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")


class _Finite:
    """Marks a number that is neither infinite nor NaN."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return {**handler(source), "allow_inf_nan": False}


class _OneOrMore:
    """Marks a list for which one text may stand, which is then all of it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(_listed, handler(source))


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Text = Annotated[str, MinLen(1)]
"""Words, and not none at all."""
Texts = Annotated[tuple[Text, ...], _OneOrMore()]
"""A list of texts, or one text that stands for a list of one."""
Number = Annotated[float, _Finite()]
"""A finite number."""
Count = Annotated[int, Ge(1), Le(sys.maxsize)]
"""A whole number of things, at least one."""

Record = TypeVar("Record")


def parse_record(
    content: object,
    kind: type[Record],
    *,
    where: str,
    wrong: type[Exception] = UnreadableError,
    cure: str = "",
    also: Mapping[str, Any] | None = None,
    beside: tuple[str, ...] = (),
) -> Record:
    """A dataclass from plain values, as a file of JSON or YAML holds them.

    Args:
        content: The values; sections of them are records of their own, or mappings.
        kind: The dataclass. A field without a default must be there, and may say in its metadata what to `write`; what
            types do not say, its `__post_init__` may refuse with a `ValueError`, or with `wrong`.
        where: What holds them, for messages.
        wrong: What to raise.
        cure: What the user can do, to end a message with.
        also: Fields that are no keys of the file, and what they are.
        beside: Keys that the file may have and that were read elsewhere, to be named where one is unknown.

    Raises:
        wrong: If a key is missing or unknown (the message names the nearest), or a value is not of its type.
    """
    from pydantic import ValidationError

    given = dict(also or {})
    if isinstance(content, Mapping):
        if forbidden := [key for key in content if key in given]:
            raise wrong(_told(where, _unknown(forbidden[0], (), kind, given, beside), cure))
        content = {**content, **given}
    try:
        return _adapter(kind).validate_json(json.dumps([content], default=_plain))[0]
    except ValidationError as error:
        raise wrong(_told(where, _first(error.errors(include_url=False), kind, given, beside), cure)) from error
    except wrong as error:  # what the record itself refuses
        raise wrong(_told(where, str(error), cure)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise wrong(_told(where, f"holds what no file can ({error}); write plain values", cure)) from error


def shown(value: object) -> str:
    """A value as messages show it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of thousands of digits
        return "an integer of thousands of digits"
    except RecursionError:
        return "something nested too deeply"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


@cache
def _adapter(kind: type) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    # Within a tuple, as a dataclass that stands alone takes no configuration from outside.
    return TypeAdapter(tuple[kind], config=ConfigDict(extra="forbid", strict=True))  # pyright: ignore[reportInvalidTypeForm]


def _first(errors: list[Any], kind: type, given: Mapping[str, Any], beside: tuple[str, ...]) -> str:
    """What to say of several errors: a key that nothing has comes before the one that is missing for it."""
    places = [error["loc"][1:] for error in errors]
    for place, error in zip(places, errors, strict=True):
        if error["type"] in _UNKNOWN:
            return _unknown(place[-1], place[:-1], kind, given, beside)
    error, place = errors[0], places[0]
    if error["type"] == "missing":
        absent = [_path(one) for one, other in zip(places, errors, strict=True) if other["type"] == "missing"]
        cure = {one.name: one.metadata.get("write", "") for one in fields(kind)}.get(absent[0], "")  # type: ignore[arg-type]
        told = f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing"
        return f"{told}; write {cure}" if cure and len(absent) == 1 else told
    if error["type"] == "value_error":
        return ": ".join(filter(None, (_path(place), str(error["ctx"]["error"]))))
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        hint = did_you_mean(error["input"], words).strip()
        told = f"must be {' or '.join(words)}, not {shown(error['input'])}{f'; {hint}' if hint else ''}"
    else:
        ours = _PROBLEMS.get(error["type"])
        problem = error["msg"].replace("Input should", "must") if ours is None else ours.format(**context)
        told = f"{problem}, not {shown(error['input'])}"
    return f"{_path(place)} {told}".strip()


def _unknown(key: object, place: tuple[Any, ...], kind: type, given: Mapping[str, Any], beside: tuple[str, ...]) -> str:
    known = _keys(kind, place) if place else [*beside, *(name for name in _keys(kind, ()) if name not in given)]
    inside = f" in {_path(place)}" if place else ""
    return f"there is no key {key!r}{inside}; {did_you_mean(key, known).strip() or 'there are: ' + ', '.join(known)}"


def _keys(kind: Any, place: tuple[Any, ...]) -> list[str]:
    """The keys of the record that stands at a place within another."""
    for step in place:
        kind = get_type_hints(kind)[step] if is_dataclass(kind) else _inside(kind)
        if NoneType in get_args(kind):
            kind = _inside(kind)
    return [one.name for one in fields(kind)]


def _inside(kind: Any) -> Any:
    """What an optional, a list or a mapping is of."""
    return next(one for one in reversed(get_args(kind)) if one not in (NoneType, Ellipsis))


def _path(place: tuple[Any, ...]) -> str:
    """`n_examples.validation.skill`, or `parameters[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def _told(where: str, what: str, cure: str) -> str:
    return f"{where}: {what}{f'; {cure}' if cure else ''}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{shown(value)} is no plain value")
