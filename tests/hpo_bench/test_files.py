"""Records are what they were, or refused."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from hpo_bench.errors import LiveError
from hpo_bench.files import read_record


@dataclass(frozen=True, slots=True)
class Inner:
    score: float
    name: str


@dataclass(frozen=True, slots=True)
class Outer:
    words: tuple[str, ...]
    inner: tuple[Inner, ...]
    note: str | None = None


KEPT = Outer(("a", "b"), (Inner(0.5, "x"),))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(asdict(KEPT)), encoding="utf-8")
    assert read_record(path, Outer, wrong=LiveError, cure="delete it") == KEPT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"words": None}, "is damaged at words "),
        ({"words": [[]]}, "is damaged at words.0 "),
        ({"inner": [{"score": "much", "name": "x"}]}, "is damaged at inner.0.score "),
        ({"inner": [{"name": "x"}]}, "is damaged at inner.0.score "),
        ({"inner": {}}, "is damaged at inner "),
        ({"note": {"a": 1}}, "is damaged at note "),
    ],
)
def test_what_is_not_of_its_type_is_named_with_the_cure(change: dict, words: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**asdict(KEPT), **change}), encoding="utf-8")
    with pytest.raises(LiveError) as caught:
        read_record(path, Outer, wrong=LiveError, cure="delete it")
    assert str(caught.value).startswith(f"{path} {words}")
    assert str(caught.value).endswith("; delete it")


def test_what_no_version_left_out_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"words": [], "inner": []}), encoding="utf-8")
    assert read_record(path, Outer, wrong=LiveError, cure="delete it").note is None
    with pytest.raises(LiveError, match="it lacks note; delete it"):
        read_record(path, Outer, wrong=LiveError, cure="delete it", whole=True)
