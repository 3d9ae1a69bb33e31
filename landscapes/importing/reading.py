"""How anybody's table of settings and scores is to be read: which column is what, as the user types it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscapes import tables
from landscapes.errors import InvalidGridError, InvalidSpaceError
from landscapes.grid import MEASURES
from landscapes.outcomes import COLUMNS as OF_EXAMPLES
from landscapes.space import KINDS, Parameter

MOST_DIMENSIONS = 6
"""Beyond this, the sweeps that people can afford say nothing about most of the box."""
DECADES, CROWDED = 100.0, 0.1
"""A column asks for a log scale if it spans that factor, and half of it lies in that share of its range."""
DECIMAL = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE)
"""A number as tables have it. Python's own reading takes 1_5 for 15, and digits of every script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a table is to be read.

    Attributes:
        parameters: Columns of the hyperparameters, each with the range that its values must lie in; None for any.
        metric: Column of the scores.
        minimise: Whether lower is better; scores are negated then.
        error: Column of standard errors, if there is one.
        examples: Column of numbers of examples, or one number for all rows, if known.
        split: Column that says validation or test; None if all rows are what was tuned on.
        average: Whether rows of one setting are averaged (their spread gives the standard error) and not refused.
        kinds: For hyperparameters that are not plain numbers, words of `KINDS`.
        state: Column that says how an evaluation ended; None for one that is called so in any export, if there is one.
        drop_failed: Whether rows of evaluations that did not end well, or have no score, are left out and not refused.
        example: Column of the examples' ids, where a row is one example at one setting; None where it is a setting.
        category: Column of the examples' categories, such as skill or general.

    Raises:
        InvalidSpaceError: If one column is given for two things, a hyperparameter has a name that grids keep for what
            was measured, or something is given that has no meaning with or without examples.
    """

    parameters: dict[str, tuple[float, float] | None]
    metric: str
    minimise: bool = False
    error: str | None = None
    examples: str | int | None = None
    split: str | None = None
    average: bool = False
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    state: str | None = None
    drop_failed: bool = False
    example: str | None = None
    category: str | None = None

    def __post_init__(self) -> None:
        if self.example is not None and (self.error is not None or self.examples is not None):
            raise InvalidSpaceError(
                "standard errors and numbers of examples follow from the examples themselves; leave out --error and "
                "--examples, or --example"
            )
        if self.category is not None and self.example is None:
            raise InvalidSpaceError("only examples have categories; say with --example which column has their ids")
        roles: dict[str, str] = {}
        for role, name in self._given():
            if name in roles:
                raise InvalidSpaceError(
                    f"column {name!r} is given twice, as {roles[name]} and as {role}; a column is one or the other"
                )
            roles[name] = role
        for name in self.parameters:
            if name in (*MEASURES, tables.MASK_SEED) or (self.example is not None and name in OF_EXAMPLES):
                raise InvalidSpaceError(
                    f"no hyperparameter can be called {name!r}, which is what grids call a measure; rename the column"
                )

    @property
    def columns(self) -> list[str]:
        """All columns that the table must have."""
        return [name for _, name in self._given()]

    def _given(self) -> Iterable[tuple[str, str]]:
        yield from (("hyperparameter", name) for name in self.parameters)
        others = {
            "score": self.metric, "standard error": self.error, "examples": self.examples, "split": self.split,
            "state": self.state, "example": self.example, "category": self.category,
        }  # fmt: skip
        yield from ((role, name) for role, name in others.items() if isinstance(name, str))


def decimal(text: str) -> float:
    """A number, perhaps infinite or NaN, from its text; blanks around it are no part of it.

    Raises:
        ValueError: If it is not a plain decimal number.
    """
    if not DECIMAL.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a plain decimal number")
    return float(text)


def parse_space(text: str) -> dict[str, tuple[float, float] | None]:
    """Parameters from "lr=1e-6..1e-1 log,layers=1..8 int,density"; a name without a range takes what was recorded.

    Raises:
        InvalidSpaceError: If the text cannot be understood, or there are none or more than six.
    """
    return {name: span for name, (span, _) in _parse(text).items()}


def parse_kinds(text: str) -> dict[str, frozenset[str]]:
    """Which parameters of a space, as for `parse_space`, are log or int.

    Raises:
        InvalidSpaceError: If the text cannot be understood, or there are none or more than six.
    """
    return {name: kinds for name, (_, kinds) in _parse(text).items() if kinds}


def asks_for_log(values: NDArray[np.float64]) -> bool:
    """Whether values of shape (n,) look drawn on a log scale: over decades, and most of them next to the least."""
    low, high = values.min(), values.max()
    return bool(low > 0 and high >= DECADES * low and np.median(values) < low + CROWDED * (high - low))


def _parse(text: str) -> dict[str, tuple[tuple[float, float] | None, frozenset[str]]]:
    found: dict[str, tuple[tuple[float, float] | None, frozenset[str]]] = {}
    for part in text.split(","):
        words = part.split()
        kinds: set[str] = set()
        while len(words) > 1 and words[-1] in KINDS:
            kinds.add(words.pop())
        name, equals, span = (piece.strip() for piece in " ".join(words).partition("="))
        if name in found:
            raise InvalidSpaceError(f"{name!r} is in the space twice; name every parameter once")
        ends: tuple[float, float] | None = None
        if equals:
            low, dots, high = span.partition("..")
            try:
                ends = (decimal(low), decimal(high))
            except ValueError:
                dots = ""
            if not dots:
                raise InvalidSpaceError(
                    f"{part.strip()!r} is no range; write it as {name or 'name'}=0..1, with log or int behind it if it "
                    "is on a log scale or whole"
                )
        found[name] = ends, frozenset(kinds)
    if not 1 <= len(found) <= MOST_DIMENSIONS or "" in found:
        raise InvalidSpaceError(
            f"a space needs 1 to {MOST_DIMENSIONS} named parameters, such as lr=0..1,density=0.1..1, not {text!r}"
        )
    for name, (ends, kinds_of) in found.items():
        Parameter.of(name, *(ends or (1.0, 2.0)), *kinds_of)  # refuses other names, and ranges that make no sense
    return found


def parse_examples(text: str) -> int | str:
    """How many examples every score is the mean of, or else the column that says so.

    Raises:
        InvalidGridError: If it is a number, and no number of examples.
    """
    try:
        number = decimal(text)
    except ValueError:
        return text
    if number < 1 or not number.is_integer():
        raise InvalidGridError(f"{text} examples make no score; give a whole number of at least 1, or a column's name")
    return int(number)
