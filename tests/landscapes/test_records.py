"""Records are read by the rules of a file, and what is wrong is one line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from landscapes.errors import UnreadableError
from landscapes.written import Count, Number, Text, Texts, parse_record


@dataclass(frozen=True, slots=True)
class Side:
    low: float
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low must be below {self.high:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    name: Text = field(metadata={"write": "a word"})
    sides: Mapping[str, Side] = field(default_factory=dict)
    best: Side | None = None
    rows: tuple[Side, ...] = ()
    tags: Texts = ()
    weight: Number = 1.0
    count: Count = 1
    more: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()


def parse(content: object) -> Box:
    return parse_record(content, Box, where="box.yaml", also={"path": "box.yaml"})


def test_a_record_is_what_its_file_says() -> None:
    more = {"any": [1, None, "x"], "inf": float("inf")}
    box = parse({"name": "a", "sides": {"x": {"low": 0}}, "tags": "one", "weight": 2, "more": more})
    assert (box.sides["x"], box.tags, box.path, box.more) == (Side(0.0), ("one",), Path("box.yaml"), more)
    assert parse({"name": "a", "tags": ["one", "two"], "best": None}).tags == ("one", "two")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "name is missing; write a word"),
        ({"nmae": "a"}, "there is no key 'nmae'; did you mean 'name'?"),
        ({"name": "a", "path": "x"}, "there is no key 'path'; there are: name, sides, best, rows, .*more$"),
        ({"name": "a", "sides": {"x": {"low": 0, "hihg": 2}}}, r"no key 'hihg' in sides\.x; did you mean 'high'\?"),
        ({"name": "a", "best": {"lo": 0}}, r"there is no key 'lo' in best; did you mean 'low'\?"),
        ({"name": "a", "rows": [{"low": 0}, {"low": 2}]}, r"rows\[1\]: low must be below 1$"),
        ({"name": "a", "rows": [{"high": 0}, {}]}, r"rows\[0\]\.low, rows\[1\]\.low are missing"),
        ({"name": "a", "weight": "2"}, "weight must be a number, not '2'"),
        ({"name": "a", "weight": float("nan")}, "weight must be a finite number, not nan"),
        ({"name": "a", "count": True}, "count must be a whole number, not True"),
        ({"name": "a", "count": 0}, "count must be at least 1, not 0"),
        ({"name": "a", "tags": [1]}, r"tags\[0\] must be text, not 1"),
        ({"name": "a", "more": {"x": Path("x")}}, "holds what no file can .*; write plain values"),
        ({"name": "a", "count": 1 << 20_000}, "holds what no file can"),
        ([1], r"must hold keys and values, not \[1\]"),
    ],
)
def test_what_is_wrong_is_one_line(content: object, said: str) -> None:
    with pytest.raises(UnreadableError, match=f"^box.yaml: .*{said}"):
        parse(content)
