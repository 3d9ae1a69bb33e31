"""The card of a landscape: what was merged, how it was measured, and how to record it again."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import yaml

from landscapes import card_checks as checks
from landscapes.errors import InvalidSpaceError
from landscapes.files import replacing
from landscapes.space import Parameter, SearchSpace
from landscapes.terms import DOMAINS, ELSEWHERE, METHODS, TIERS

FILE = "card.yaml"
SPLITS = ("validation", "test")
FITTED = ("study", "wide", "sweep")
"""Designs that a surrogate is fitted to: the study's grid, one over the box of live tuning, or any other sweep."""
HELD_OUT = ("held-out", "dense", "masks")
"""Designs that no surrogate is ever fitted to: settings over the box, a dense grid beyond it, many DARE masks."""
USUAL = {"scale": "linear", "integer": False}
"""Keys of a parameter that a card has only where they are otherwise."""
TEXTS = (
    "name",
    "pair",
    "domain",
    "benchmark",
    "method",
    "base",
    "metric",
    "units",
    "split_rule",
    "licence",
    "date",
    "command",
)


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
        date: When it was recorded, as YYYY-MM-DD.
        command: Records it again.
        notes: Anything else that a user should know.
        synthetic: Whether the numbers come from a formula and not from models.
        path: Where it was read from, for messages; no key of the file.

    Raises:
        InvalidCardError: If a value makes no sense; the message names file and key.
    """

    name: str
    pair: str
    tier: str = ELSEWHERE
    domain: str
    benchmark: str
    method: str
    parameters: tuple[CardParameter, ...]
    base: str
    checkpoints: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, str]
    merge_options: Mapping[str, object]
    design: str = "study"
    metric: str
    direction: str = "maximise"
    units: str = "fraction correct"
    split_rule: str
    tuning_split: str = "validation"
    n_examples: Mapping[str, Mapping[str, int]]
    licence: str
    citation: str = ""
    date: str
    command: str
    notes: str = ""
    synthetic: bool = False
    path: Path = field(default=Path(FILE), compare=False, repr=False)

    def __post_init__(self) -> None:
        for key in TEXTS:
            checks.text(self.path, key, getattr(self, key))
        for key in ("notes", "citation"):
            checks.text(self.path, key, getattr(self, key), may_be_empty=True)
        checks.slug(self.path, "pair", self.pair)
        if self.name.count("/") != 1 or not self.name.startswith(f"{self.pair}/"):
            raise checks.wrong(self.path, "name", f"must be '{self.pair}/<method>', not {self.name!r}")
        checks.slug(self.path, "name", self.name.partition("/")[2])
        checks.one_of(self.path, "tier", self.tier, TIERS)
        checks.one_of(self.path, "domain", self.domain, DOMAINS)
        checks.one_of(self.path, "method", self.method, METHODS)
        checks.one_of(self.path, "design", self.design, (*FITTED, *HELD_OUT))
        checks.one_of(self.path, "tuning_split", self.tuning_split, SPLITS)
        checks.one_of(self.path, "direction", self.direction, ("maximise",), advice="negate the scores instead")
        checks.flag(self.path, "synthetic", self.synthetic)
        checks.day(self.path, "date", self.date)
        for key in ("checkpoints", "versions", "merge_options", "n_examples"):
            checks.mapping(self.path, key, getattr(self, key))
        checks.nested(self.path, "checkpoints", self.checkpoints)
        # Nobody tunes on what is held out, so its card need not have the tuning split.
        checks.counts(self.path, "n_examples", self.n_examples, self.tuning_split if self.design in FITTED else None)
        try:
            SearchSpace(self.parameters)
        except InvalidSpaceError as error:
            raise checks.wrong(self.path, "parameters", str(error)) from error

    @property
    def space(self) -> SearchSpace:
        """The recorded box."""
        return SearchSpace(
            tuple(Parameter(p.name, p.low, p.high, scale=p.scale, integer=p.integer) for p in self.parameters)
        )

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a card.

        Raises:
            InvalidCardError: If it is missing, not YAML, lacks a key, has an unknown one, or a value makes no sense.
        """
        path = Path(path)
        known = {f.name: f.default is MISSING for f in fields(cls) if f.name != "path"}
        values: dict[str, Any] = checks.read_mapping(
            path,
            required=[k for k, needed in known.items() if needed],
            optional=[k for k, needed in known.items() if not needed],
        )
        values["parameters"] = _parameters(path, values["parameters"])
        return cls(**values, path=path)

    def write(self, path: str | Path) -> None:
        """Write the card whole or not at all, keys in the order above.

        Raises:
            UnwritableError: If the file cannot be written.
        """
        keys = {key: value for key, value in _plain(asdict(self)).items() if key != "path"}
        keys["parameters"] = [
            {key: value for key, value in entry.items() if (key, value) not in USUAL.items()}
            for entry in keys["parameters"]
        ]
        with replacing(Path(path)) as temporary:
            text = yaml.safe_dump(keys, sort_keys=False, allow_unicode=True, width=120)
            temporary.write_text(text, encoding="utf-8")


def _parameters(path: Path, value: object) -> tuple[CardParameter, ...]:
    if not isinstance(value, list):
        raise checks.wrong(path, "parameters", "must be a list of name, low, high, scale, integer and levels")
    parameters = []
    for i, entry in enumerate(value):
        key = f"parameters[{i}]"
        checks.mapping(path, key, entry)
        if not {"name", "low", "high"} <= set(entry) <= {"name", "low", "high", "levels", *USUAL}:
            raise checks.wrong(
                path,
                key,
                f"must have name, low, high and perhaps scale, integer and levels, not {', '.join(map(str, entry))}",
            )
        if not isinstance(entry.get("levels") or [], list):
            raise checks.wrong(path, key, f"levels of {entry['name']} must be a list, not {entry['levels']!r}")
        try:
            parameters.append(CardParameter(**{**entry, "levels": tuple(entry.get("levels") or ())}))
        except (InvalidSpaceError, TypeError) as error:
            raise checks.wrong(path, key, str(error)) from error
    return tuple(parameters)


def _plain(value: Any) -> Any:
    """The same with lists for tuples and dicts for mappings, as YAML wants it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
