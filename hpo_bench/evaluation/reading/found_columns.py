"""Which column of a table is what: found by the usual names, or as the user named it."""

import difflib
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hpo_bench.errors import UsageError
from hpo_bench.evaluation.examples import further_columns
from hpo_bench.evaluation.reading.columns import WITHOUT, Columns
from hpo_bench.evaluation.reading.pictures import Slots
from hpo_bench.evaluation.reading.rows import FlawError, is_nothing, text
from hpo_bench.evaluation.reading.tables import ExampleTable
from surrogates.spelling import did_you_mean

CHOICES = "choices"
"""What a pattern for questions calls the choices, which are no column of their own there."""
_LETTERS, _DIGITS = string.ascii_uppercase, string.digits
_MISSPELT = 0.76
"""As much alike two names must be for one to be the other misspelt: categories is category, age is no image."""
_USUAL = {
    "id": ("id",),
    "category": ("category",),
    "question": ("question",),
    "answer": ("answer",),
    "image": ("image", "images"),
    "choices": ("choices", "options"),
    "turns": ("messages", "conversations"),
}
_NUMBERED = re.compile(r"image_(\d{1,2})")
_WIDTH = re.compile(r"(0?\d{1,2})?d?")
_CHOICE = re.compile(r"((?:options?|choices?|opt?)[ _.-]?|)([a-z]|(?<=.)\d)", re.IGNORECASE)
_PICTURE = re.compile(r"[^\n]{1,250}\.(?:png|jpe?g|webp|gif|bmp|tiff?|avif|jp2|ppm)", re.IGNORECASE)
_PICTURED = ("image", "img", "picture", "photo")
Get = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, eq=False)
class FoundColumns:
    """How the parts of an example are read from a row.

    Attributes:
        get: By part, such as "question"; parts that the table lacks are missing.
        lettered: Whether each choice has a column.
        kept: The columns that are read.
        ignored: The others.
        asks_choices: Whether the pattern for questions places the choices itself.
    """

    get: Mapping[str, Get]
    lettered: bool
    kept: tuple[str, ...]
    ignored: tuple[str, ...]
    asks_choices: bool


def find_columns(table: ExampleTable, named: Columns, annotated: Sequence[str] = ()) -> FoundColumns:
    """Match the parts of an example with columns.

    Args:
        table: What is read.
        named: What the user calls them.
        annotated: Columns of the second file, which rows have under "annotations" as well.

    Raises:
        UsageError: If a column is missing, or one that is not used is likely to be one that is, misspelt.
    """
    finder = _Finder(table, [*table.names, *(["annotations"] if annotated else []), *annotated])
    get: dict[str, Get] = {}
    for part in ("question", "answer", "category", "id"):
        if given := getattr(named, part):
            get[part] = finder.named(part, given)
        elif usual := finder.usual(part):
            get[part] = finder.column(usual)
    for own in further_columns(table.schema):
        get[own] = finder.column(own)
    if image := finder.images(named.image):
        get["image"] = image
    choices, lettered = finder.choices(named.choices)
    if choices:
        get["choices"] = choices
    if "question" not in get and (turns := finder.usual("turns")):
        get["turns"] = finder.column(turns)
    else:
        for part in ("question", "answer"):
            if part not in get:
                finder.refuse_missing(part)
    if not named.choices and "choices" not in get and "turns" not in get:
        finder.refuse_hidden_choices()
    finder.refuse_misspelt(get, named)
    if not named.image and "image" not in get and "turns" not in get:
        finder.refuse_hidden_pictures()
    kept = tuple(name for name in table.names if name in finder.used)
    ignored = tuple(name for name in table.names if name not in finder.used)
    return FoundColumns(get, lettered, kept, ignored, CHOICES in _places(named.question))


class _Finder:
    """Finds columns of one table, and keeps in mind which were."""

    def __init__(self, table: ExampleTable, names: Sequence[str]) -> None:
        self._path, self._schema, self._rows = table.path, table.schema, table.rows
        self._own, self._names = table.names, list(dict.fromkeys(names))
        self.used: set[str] = set()

    def column(self, name: str) -> Get:
        self.used.add(name)
        return lambda row: row.get(name)

    def usual(self, part: str) -> str:
        """The column that has one of the usual names of a part."""
        return next((name for name in _USUAL[part] if name in self._names), "")

    def named(self, part: str, given: str) -> Get:
        """What the user wrote: a column, a path into one, or a pattern of several."""
        if given in self._names:
            return self.column(given)
        if "{" in given:
            return self._pattern(part, given)
        head, _, tail = given.partition(".")
        while tail and head not in self._names:
            further, _, tail = tail.partition(".")
            head = f"{head}.{further}"
        if not tail:
            raise self._no_column(given, part)
        outer = self.column(head)
        return lambda row: _within(outer(row), tail.split("."))

    def images(self, given: Sequence[str]) -> Get | None:
        if tuple(given) == (WITHOUT,):
            return None
        if not given:
            if "image" in self._own and "images" in self._own:
                return self._either("image", "images")
            numbered = sorted((int(hit[1]), name) for name in self._own if (hit := _NUMBERED.fullmatch(name)))
            usual = self.usual("image")
            given = [usual] if usual else [name for _, name in numbered] if len(numbered) > 1 else []
        if len(given) < 2:
            return self.named("image", given[0]) if given else None
        several = [self.named("image", name) for name in given]
        return lambda row: Slots(get(row) for get in several)

    def choices(self, given: Sequence[str]) -> tuple[Get | None, bool]:
        """How choices are read, and whether each has a column."""
        if tuple(given) == (WITHOUT,):
            return None, False
        if not given:
            if usual := self.usual("choices"):
                return self.column(usual), False
            given = [letter for letter in _LETTERS if letter in self._own]
            if len(given) < 2 or given != list(_LETTERS[: len(given)]):
                return None, False
        if len(given) == 1:
            return self.named("choices", given[0]), False
        several = [self.named("choices", name) for name in given]
        return (lambda row: [get(row) for get in several]), True

    def _either(self, one: str, other: str) -> Get:
        first, second = self.column(one), self.column(other)

        def get(row: Mapping[str, Any]) -> Any:
            values = [value for value in (first(row), second(row)) if not _is_empty(value)]
            if len(values) > 1:
                raise FlawError("has both image and images; put all pictures into images")
            return values[0] if values else None

        return get

    def _pattern(self, part: str, given: str) -> Get:
        try:
            pieces = list(string.Formatter().parse(given))
        except ValueError as error:
            raise UsageError(f"{self._path}: {part}: the pattern {given!r} cannot be read: {error}") from error
        gets: list[tuple[str, Get | None, str]] = []
        for literal, name, width, conversion in pieces:
            if conversion or not _WIDTH.fullmatch(width or ""):
                raise UsageError(
                    f"{self._path}: {part}: in the pattern {given!r} a column stands in braces, perhaps with a width, "
                    "as in {image_id:012}"
                )
            own = part == "question" and name == CHOICES
            inner = None if name is None else self.column(CHOICES) if own else self.named(part, name)
            gets.append((literal, inner, width or ""))

        def get(row: Mapping[str, Any]) -> Any:
            said = []
            for literal, inner, width in gets:
                value = None if inner is None else inner(row)
                if part == "image" and inner is not None and is_nothing(value):
                    return None  # a path with a piece missing is the path of no picture
                said += [literal, "" if is_nothing(value) else _formatted(value, width, part)]
            return "".join(said).strip() if part != "image" else "".join(said)

        return get

    def refuse_missing(self, part: str) -> None:
        near = did_you_mean(part, [name for name in self._names if name not in self.used])
        raise UsageError(
            f"{self._path}: has no column {part!r}; {near}name it, as in `{part}: COLUMN`; there are: "
            f"{', '.join(map(repr, self._names[:20]))}"
        )

    def refuse_misspelt(self, get: Mapping[str, Get], named: Columns) -> None:
        """A column that is nearly one that could be read, and is not, was likely meant to be."""
        sought = [part for part in _USUAL if part not in get and not getattr(named, part, None)]
        absent = [name for part in sought for name in _USUAL[part]]
        absent = [name for name in absent if name not in ("options", "messages", "conversations", *self._own)]
        for other in self._own:
            if other in self.used:
                continue
            lower = other.lower()
            pictured = "image" in sought and "turns" not in get and any(word in lower for word in _PICTURED)
            near = ["image"] if pictured else difflib.get_close_matches(lower, absent, n=1, cutoff=_MISSPELT)
            if near:
                part = "image" if near[0] == "images" else near[0]
                none = f"; or say that there are none by `{part}: []`" if part in ("image", "choices") else ""
                raise UsageError(
                    f"{self._path}: column {other!r} is unknown; did you mean {near[0]!r}? Name it, as in "
                    f"`{part}: {other}`, rename it, or drop it{none}"
                )

    def refuse_hidden_choices(self) -> None:
        """Questions whose choices are in columns of other names would be asked without them."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self._own:
            if name not in self.used and (found := _CHOICE.fullmatch(name)):
                groups.setdefault(found[1].lower(), []).append((found[2].upper(), name))
        for before, group in groups.items():
            marks, count = "".join(mark for mark, _ in group), len(group)
            if count >= (2 if before else 3) and marks in (_LETTERS[:count], _DIGITS[:count], _DIGITS[1 : count + 1]):
                names = ", ".join(name for _, name in group)
                raise UsageError(
                    f"{self._path}: the columns {names} look like choices, and are none by their names; name them, as "
                    f"in `choices: [{names}]`, or none by `choices: []`"
                )

    def refuse_hidden_pictures(self) -> None:
        """Questions whose pictures are in a column of another name would be asked without them."""
        for type_ in self._schema or ():
            listed = pa.types.is_list(type_.type) or pa.types.is_large_list(type_.type)
            kind = type_.type.value_type if listed else type_.type
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                kind = kind.field("bytes").type
            if type_.name not in self.used and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
                raise UsageError(
                    f"{self._path}: has bytes in a column {type_.name!r} and none called image or images; name it, as "
                    f"in `image: {type_.name}`, if it holds the pictures, or none by `image: []`"
                )
        unused = [name for name in self._own if name not in self.used]
        first = next(self._rows(unused), None) if unused else None
        for name, cell in first.values.items() if first else ():
            if name in unused and isinstance(cell, str) and _PICTURE.fullmatch(cell):
                raise UsageError(
                    f"{self._path}: has the path of a picture, {cell!r}, in a column {name!r} and none called image or "
                    f"images; name it, as in `image: {name}`, or none by `image: []`"
                )

    def _no_column(self, given: str, part: str) -> UsageError:
        return UsageError(
            f"{self._path}: {part}: there is no column {given!r}; {did_you_mean(given, self._names)}there are: "
            f"{', '.join(map(repr, self._names[:20]))}"
        )


def _places(pattern: str) -> list[str]:
    try:
        return [name for _, name, _, _ in string.Formatter().parse(pattern) if name]
    except ValueError:
        return []


def _is_empty(value: Any) -> bool:
    return (
        is_nothing(value)
        or (isinstance(value, list | tuple | Mapping) and not value)
        or (isinstance(value, Mapping) and not any(value.values()))
    )


def _within(value: Any, path: Sequence[str]) -> Any:
    """What lies under names within a cell; of a list, what lies under them in each."""
    for place, name in enumerate(path):
        if isinstance(value, list | tuple):
            return [_within(one, path[place:]) for one in value]
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _formatted(value: Any, width: str, part: str) -> str:
    # The name of a file is that of its bytes, however it is written.
    said = value if part == "image" and isinstance(value, str) else text(value, part)
    if not width:
        return said
    if not said.lstrip("-").isdigit():
        raise FlawError(f"{part}: {said[:40]!r} is no whole number, which a width in braces is for")
    return format(int(said), width)
