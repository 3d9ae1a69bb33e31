"""What a user calls the columns of a table of examples."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

from annotated_types import Ge

from hpo_bench.errors import UsageError
from landscapes.written import Text, Texts, parse_record

WITHOUT = ""
"""In the place of a column: none, although there is one of a usual name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    r"""What the user calls the columns; an empty one is found by its usual name.

    A column within a column is written with a dot, as in `answers.answer`; one made of several with braces, as in
    `{hint}\n{question}` or `val2014/COCO_val2014_{image_id:012}.jpg`.

    Attributes:
        question: The question; `{choices}` within a pattern is where its choices go.
        answer: The right answer; a list where there are several.
        image: The pictures, from one column or several. An empty name, written as an empty list, asks without them,
            whatever columns there are; pictures within a chat stay.
        choices: What there is to choose from: a column of lists, or one column a choice. An empty name as for image.
        category: The category.
        id: The id.
        annotations: A second file, relative to the pair, whose rows have the same ids; its columns are called
            `annotations.NAME`, or by their names alone where the examples have none of the name.
        limit: At most so many examples, drawn by a hash of their ids; all of them with 0.
    """

    question: Text = ""
    answer: Text = ""
    image: Texts = ()
    choices: Texts = ()
    category: Text = ""
    id: Text = ""
    annotations: Text = ""
    limit: Annotated[int, Ge(0)] = 0

    @property
    def section(self) -> dict[str, Any]:
        """What is named, as the keys of an evaluation that `of` reads."""
        named: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, tuple) and value:
                several = [name for name in value if name != WITHOUT]
                named[one.name] = several[0] if len(several) == 1 else several
            elif value:
                named[one.name] = value
        return named

    @property
    def typed(self) -> tuple[str, ...]:
        """What is named, as a command line has it."""
        words: list[str] = []
        for one in fields(self):
            value = getattr(self, one.name)
            for each in value if isinstance(value, tuple) else [value] if value else []:
                words += [f"--{one.name}", str(each).replace("\n", "\\n")]
        return tuple(words)

    @classmethod
    def named(cls, **given: Any) -> "Columns":
        """As the options of a command name them, where None is nothing and a text may stand for a list of one."""
        usual: dict[str, Any] = {one.name: one.default for one in fields(cls)}
        values: dict[str, Any] = {name: usual[name] if value is None else value for name, value in given.items()}
        listed = {name: values[name] for name in values if isinstance(usual[name], tuple)}
        values |= {name: (one,) if isinstance(one, str) else tuple(one) for name, one in listed.items()}
        return cls(**values)

    @classmethod
    def of(cls, section: Mapping[str, Any], where: str = "evaluation") -> "Columns":
        """As an evaluation names them, among other options.

        Args:
            section: The options.
            where: Where they stand, for messages.

        Raises:
            UsageError: If one is no text, or no list of texts.
        """
        named = {name: section[name] for name in OPTIONS if name in section}
        found = parse_record(named, Columns, where=where, wrong=UsageError)
        without = [name for name in named if getattr(found, name) == ()]
        return replace(found, **dict.fromkeys(without, (WITHOUT,)))


OPTIONS = tuple(one.name for one in fields(Columns))
"""What an evaluation may say of its examples' columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOptions(Columns):
    """What an evaluation may say of examples that are the pair's own.

    Attributes:
        examples: A file, a folder or a pattern, relative to the pair; by default those that it names elsewhere.
    """

    examples: Text = ""
