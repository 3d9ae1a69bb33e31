"""The card of a landscape: what was merged, how it was measured, and how to record it again."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, Self

import yaml

from landscapes.errors import InvalidCardError, InvalidSpaceError
from landscapes.files import replacing
from landscapes.space import Parameter, SearchSpace
from landscapes.terms import ELSEWHERE, Domain, Method, Tier
from landscapes.written import Count, Text, as_plain, parse_record, read_yaml

FILE = "card.yaml"
FITTED = ("study", "wide", "sweep")
"""Designs that a surrogate is fitted to: the study's grid, one over the box of live tuning, or any other sweep. None is
ever fitted to the others: settings over the box (held-out), a dense grid beyond it, many DARE masks."""
USUAL = {"scale": "linear", "integer": False}
"""Keys of a parameter that a card has only where they are otherwise."""


def is_slug(value: str) -> bool:
    """Whether a text makes a good folder name on every system."""
    return re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", value) is not None


@dataclass(frozen=True, slots=True)
class CardParameter(Parameter):
    """A parameter and the values at which it was recorded.

    Attributes:
        levels: Recorded values in increasing order; empty for an irregular design.
    """

    levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        # Spelled out, because super() without arguments does not work in a dataclass with slots.
        Parameter.__post_init__(self)
        if not all(isinstance(level, int | float) and math.isfinite(level) for level in self.levels):
            raise InvalidSpaceError(f"levels of {self.name} must be finite numbers, not {str(list(self.levels))[:80]}")
        if any(b <= a for a, b in zip(self.levels, self.levels[1:], strict=False)):
            raise InvalidSpaceError(f"levels of {self.name} must increase, not {list(self.levels)}")
        if self.levels and not (self.low <= self.levels[0] and self.levels[-1] <= self.high):
            raise InvalidSpaceError(f"levels of {self.name} must lie in [{self.low:g}, {self.high:g}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything about a recorded landscape that its numbers do not say; `card.yaml` has the same keys.

    Attributes:
        name: "<pair>/<method>", which is also the folder under the catalogue's root.
        pair: The models that were merged, such as ja-llama.
        tier: How real they are: nano (tiny ones, trained from scratch), pretrained (a really pretrained language model,
            recorded here) or elsewhere (recorded by others, or by a user).
        domain: What the expert is good at: language, maths or instructions (other for grids from elsewhere).
        benchmark: The questions that were asked.
        method: ta, dare or ties (other for grids from elsewhere).
        parameters: Hyperparameters in the order of all arrays.
        base: The model that both parents were trained from.
        checkpoints: For each role (base, vlm, expert, examples) its files and their SHA-256.
        versions: Packages that merged and measured, such as mergekit, transformers, torch and hpo_bench.
        merge_options: What else fixed the merges: normalize, mask_seed, dtype.
        design: Which settings were recorded and what for: study, wide or sweep, which surrogates are fitted to, or
            held-out, dense or masks, which they are measured by (`landscapes.recording`).
        metric: What a score is the mean of.
        direction: Always maximise; negate a loss before recording it.
        units: Of a score, such as "fraction correct".
        split_rule: How examples were divided into validation and test.
        tuning_split: The split that optimisers see.
        n_examples: For each split the number of examples of each category.
        licence: Under which the recorded numbers may be used.
        citation: Who recorded them, if somebody else did: the paper, the repository and its commit.
        asked_alike: Whether every example was asked in the same words at every setting; if not, a part of the
            difference between two settings is that, and the notes say how many were asked otherwise.
        date: When it was recorded, as YYYY-MM-DD.
        command: Records it again.
        notes: Anything else that a user should know.
        synthetic: Whether the numbers come from a formula and not from models.
        path: Where it was read from, for messages; no key of the file.

    Raises:
        InvalidCardError: If a value makes no sense; the message names file and key.
    """

    name: Text
    pair: Text
    tier: Tier = ELSEWHERE
    domain: Domain
    benchmark: Text
    method: Method
    parameters: tuple[CardParameter, ...]
    base: Text
    checkpoints: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, str]
    merge_options: Mapping[str, object]
    design: Literal["study", "wide", "sweep", "held-out", "dense", "masks"] = "study"
    metric: Text
    direction: str = "maximise"
    units: Text = "fraction correct"
    split_rule: Text
    tuning_split: Literal["validation", "test"] = "validation"
    n_examples: Mapping[str, Mapping[str, Count]]
    licence: Text
    citation: str = ""
    asked_alike: bool = True
    date: Text
    command: Text
    notes: str = ""
    synthetic: bool = False
    path: Path = field(default=Path(FILE), compare=False, repr=False)

    def __post_init__(self) -> None:
        for key, part in (("pair", self.pair), ("name", self.name.partition("/")[2])):
            if not is_slug(part):
                raise InvalidCardError(f"{key} must be letters, digits, hyphens, dots and underscores, not {part!r}")
        if self.name.partition("/")[0] != self.pair:
            raise InvalidCardError(f"name must be '{self.pair}/<method>', not {self.name!r}")
        if self.direction != "maximise":
            raise InvalidCardError(f"direction must be maximise, not {self.direction!r}; negate the scores instead")
        # Nobody tunes on what is held out, so its card need not have the tuning split.
        if self.design in FITTED and self.tuning_split not in self.n_examples:
            raise InvalidCardError(
                f"n_examples lacks the tuning split {self.tuning_split!r}; say how many examples of each category it "
                "has"
            )
        try:
            _ = self.space, date.fromisoformat(self.date)
        except InvalidSpaceError as error:
            raise InvalidCardError(f"parameters: {error}") from error
        except ValueError:
            raise InvalidCardError(f"date must be a day as YYYY-MM-DD, not {self.date!r}") from None

    @property
    def space(self) -> SearchSpace:
        """The recorded box."""
        return SearchSpace(
            tuple(Parameter(p.name, p.low, p.high, scale=p.scale, integer=p.integer) for p in self.parameters)
        )

    @classmethod
    def of(cls, keys: object, path: Path) -> Self:
        """A card of the keys that a file has.

        Args:
            keys: The keys and what stands under them.
            path: Where they are from, for messages.

        Raises:
            InvalidCardError: If one is missing or unknown, or a value makes no sense; the message names file and key.
        """
        return parse_record(keys, cls, where=str(path), wrong=InvalidCardError, also={"path": str(path)})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a card.

        Raises:
            InvalidCardError: If it is missing, not YAML, lacks a key, has an unknown one, or a value makes no sense.
        """
        path = Path(path)
        return cls.of(read_yaml(path, wrong=InvalidCardError), path)

    def write(self, path: str | Path) -> None:
        """Write the card whole or not at all, keys in the order above.

        Raises:
            UnwritableError: If the file cannot be written.
        """
        keys = {key: value for key, value in as_plain(asdict(self)).items() if key != "path"}
        keys["parameters"] = [
            {key: value for key, value in entry.items() if (key, value) not in USUAL.items()}
            for entry in keys["parameters"]
        ]
        with replacing(Path(path)) as temporary:
            text = yaml.safe_dump(keys, sort_keys=False, allow_unicode=True, width=120)
            temporary.write_text(text, encoding="utf-8")
