"""Multiple choice: choices as people write them, and answers as a letter, an index or a text."""

import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo_bench.evaluation.reading.rows import FlawError, is_nothing, listed, text

LETTERS = string.ascii_uppercase
INSTRUCTION = "Answer with the option's letter from the given choices directly."
"""As LLaVA, lmms-eval and VLMEvalKit ask."""
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_MARKED = re.compile(r"[(（]?([A-Za-zＡ-Ｚａ-ｚ]|\d{1,2})(?:[)）][.:]?|[.:]\s|[．：、])\s*(\S.*)", re.DOTALL)
_LABELS = ("label", "labels", "key")


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from.

    Attributes:
        texts: Each choice, without its letter or number.
        labels: What the data call them; letters where they say nothing.
        written: Each choice as it stands in the data, perhaps with its letter or number.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    written: tuple[str, ...]

    @property
    def numbered(self) -> bool:
        """Whether the choices bring numbers of their own, which begin with 1."""
        return self.texts != self.written and "1" in self.written[0].removesuffix(self.texts[0])

    @property
    def shown(self) -> str:
        """One a line, each with its letter."""
        return "\n".join(f"{letter}. {said}" for letter, said in zip(LETTERS, self.texts, strict=False))


@dataclass(frozen=True, slots=True)
class Answered:
    """A row's choices, and its answer as it stands there, a text or a number."""

    choices: Choices
    answer: str | int | float

    @classmethod
    def of(cls, choices: Choices, answer: Any) -> "Answered":
        """The same of any cell.

        Raises:
            FlawError: If the answer is missing, or no text and no number.
        """
        said = text(answer, "answer")
        return cls(choices, answer if isinstance(answer, int | float) else said)


def parse(value: Any, *, columns: bool = False) -> Choices | None:
    """Choices as they stand in a cell.

    Args:
        value: A list of texts; such a list written as a text; texts by letter; or labels and texts, as lists under
            `label` and `text` or as a list of such pairs.
        columns: Whether each had a column, so that those behind the last are empty.

    Returns:
        None where there is nothing to choose.

    Raises:
        FlawError: If they are none of these, or one is empty, or there are too many.
    """
    value = listed(value)
    if is_nothing(value) or (isinstance(value, list | tuple | Mapping) and not value):
        return None
    labels: Sequence[Any] | None = None
    if isinstance(value, Mapping):
        key = next((key for key in _LABELS if key in value), "")
        if key and isinstance(value.get("text"), list | tuple):
            labels, value = value[key], value["text"]
        else:
            value = {key: said for key, said in value.items() if not is_nothing(said)}
            labels, value = list(value), list(value.values())
    if not isinstance(value, list | tuple):
        raise FlawError(f"choices are {type(value).__name__}; write a list of texts")
    values = list(value)
    if values and all(isinstance(one, Mapping) and "text" in one for one in values):
        key = next((key for key in _LABELS if key in values[0]), "")
        labels, values = ([one.get(key) for one in values] if key else None), [one["text"] for one in values]
    while columns and values and is_nothing(values[-1]):
        values.pop()
    if not values:
        return None
    if not 2 <= len(values) <= len(LETTERS):
        raise FlawError(f"there are {len(values)} choices; there must be 2 to {len(LETTERS)}")
    if labels is not None and len(labels) != len(values):
        raise FlawError(f"{len(values)} choices have {len(labels)} labels")
    written = tuple(text(one, f"choice {letter}").strip() for one, letter in zip(values, LETTERS, strict=False))
    named = tuple(LETTERS[: len(written)] if labels is None else [text(one, "a label") for one in labels])
    return Choices(_without_marks(written), named, written)


def _without_marks(written: Sequence[str]) -> tuple[str, ...]:
    """Choices without marks of their own ("A. a cat", "1. a cat") where each has the right one; else as they are."""
    found = [one for one in map(_MARKED.fullmatch, written) if one]
    marks = [_half_width(one[1]).upper() for one in found]
    if marks not in ([*LETTERS[: len(written)]], [str(number) for number in range(1, len(written) + 1)]):
        return tuple(written)
    return tuple(one[2] for one in found)


def settle(rows: Mapping[str, Answered]) -> tuple[dict[str, str], dict[str, str], str]:
    """The right letter of each row.

    Answers are read in one way throughout: as letters (or the data's own labels), as texts of choices, or as indices.
    Which one, all rows together tell, as one row alone may fit several: "1" is a text and an index. Of those that fit
    most rows letters go first, then indices if the answers are numbers, then texts, then indices; from 1 before 0 where
    choices bring numbers of their own.

    Args:
        rows: By place.

    Returns:
        Letters by place, what is wrong with those rows that have none by place, and how answers were read, in words.
    """
    if not rows:
        return {}, {}, ""
    whole = all(isinstance(one.answer, int | float) for one in rows.values())
    indices = [3, 2] if all(one.choices.numbered for one in rows.values()) else [2, 3]
    order = [0, *indices, 1] if whole else [0, 1, *indices]
    ways = [
        ("letters", _by_label),
        ("texts of choices", _by_text),
        ("indices from 0", lambda one: _by_index(one, 0)),
        ("indices from 1", lambda one: _by_index(one, 1)),
    ]
    read = {place: [way(one) for one in rows.values()] for place, (_, way) in enumerate(ways)}
    fit = {place: sum(letter != "" for letter in read[place]) for place in order}
    best = max(order, key=lambda place: (fit[place], -order.index(place)))
    how = ways[best][0]
    if best == 2 and fit[3] == fit[2]:  # few rows, of which none has the first choice or the last
        how += ", which they fit as well from 1; see that the right ones are shown"
    letters, flaws = {}, {}
    for (where, one), letter in zip(rows.items(), read[best], strict=True):
        if letter:
            letters[where] = letter
        else:
            shown = ", ".join(repr(said[:20]) for said in one.choices.texts)
            flaws[where] = (
                f"answer {str(one.answer)[:40]!r} is none of the choices {shown}, where answers are {ways[best][0]}; "
                "name other `choices`, or none by `choices: []`"
            )
    return letters, flaws, how


def _by_label(one: Answered) -> str:
    said = "" if isinstance(one.answer, float) else str(one.answer).strip()
    if said in one.choices.labels:
        return LETTERS[one.choices.labels.index(said)]
    found = _LETTER.fullmatch(_half_width(said))
    place = LETTERS.index(found[1].upper()) if found else len(LETTERS)
    own = one.choices.labels == tuple(LETTERS[: len(one.choices.labels)])
    return LETTERS[place] if own and place < len(one.choices.texts) else ""


def _half_width(said: str) -> str:
    """A text whose letters and marks of full width, as Japanese keyboards type them, are those of ASCII."""
    return unicodedata.normalize("NFKC", said)


def _by_text(one: Answered) -> str:
    said = text(one.answer, "answer").strip()
    folded = _half_width(said).casefold()
    for texts in (one.choices.texts, one.choices.written):
        places = [place for place, choice in enumerate(texts) if choice == said]
        places = places or [place for place, own in enumerate(texts) if _half_width(own).casefold() == folded]
        if places:
            return LETTERS[places[0]] if len(places) == 1 else ""
    return ""


def _by_index(one: Answered, first: int) -> str:
    said = text(one.answer, "answer").strip()
    place = int(said) - first if said.isdecimal() else -1
    return LETTERS[place] if 0 <= place < len(one.choices.texts) else ""
