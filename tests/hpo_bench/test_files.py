"""Records are what they were, or refused."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from hpo_bench.errors import TuningError
from hpo_bench.files import as_record, read_record, whole_lines


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
    assert read_record(path, Outer, wrong=TuningError, cure="delete it") == KEPT


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"words": None}, "is damaged: words must be a list, not None"),
        ({"words": [[]]}, "is damaged: words[0] must be text, not []"),
        ({"inner": [{"score": "much", "name": "x"}]}, "is damaged: inner[0].score must be a number, not 'much'"),
        ({"inner": [{"name": "x"}]}, "is damaged: inner[0].score is missing"),
        ({"inner": {}}, "is damaged: inner must be a list, not {}"),
        ({"note": {"a": 1}}, "is damaged: note must be text, not {'a': 1}"),
    ],
)
def test_what_is_not_of_its_type_is_named_with_the_cure(change: dict, words: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**asdict(KEPT), **change}), encoding="utf-8")
    with pytest.raises(TuningError) as caught:
        read_record(path, Outer, wrong=TuningError, cure="delete it")
    assert str(caught.value).startswith(f"{path} {words}")
    assert str(caught.value).endswith("; delete it")


def test_what_no_version_left_out_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"words": [], "inner": []}), encoding="utf-8")
    assert read_record(path, Outer, wrong=TuningError, cure="delete it").note is None
    with pytest.raises(TuningError, match="note is missing; delete it"):
        read_record(path, Outer, wrong=TuningError, cure="delete it", whole=True)


def test_lines_that_grow_are_read_whole_and_a_cut_one_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert whole_lines(path, wrong=TuningError, cure="delete it") == []
    path.write_text('{"a": 1}\n[2]\n{"a": ')
    assert whole_lines(path, wrong=TuningError, cure="delete it") == [{"a": 1}, [2]]
    assert path.read_text() == '{"a": 1}\n[2]\n'


@pytest.mark.parametrize("content", ["{\n{}", f'{{"a": {"9" * 5000}}}\n{{', f"{'[' * 5000}\n", '"\\ud800"\n', "\0\n"])
def test_damaged_lines_are_refused_by_place_and_left_as_they_are(content: str, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text(content)
    with pytest.raises(TuningError, match=r"lines, line 1: .*; delete it$"):
        whole_lines(path, wrong=TuningError, cure="delete it")
    assert path.read_text() == content


def test_lines_are_not_read_or_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("half")
    (tmp_path / "lines").symlink_to(tmp_path / "other")
    with pytest.raises(TuningError, match="is a link"):
        whole_lines(tmp_path / "lines", wrong=TuningError, cure="delete it")
    assert (tmp_path / "other").read_text() == "half"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"words": [], "inner": [], "more": 1}, "there is no key 'more'"),
        ({"words": [], "inner": [], "notes": 1}, "there is no key 'notes'; did you mean 'note'"),
        ([1], "must hold keys and values"),
        ({"words": [], "inner": [], 3: 1}, "there is no key '3'"),
    ],
)
def test_records_from_elsewhere_hold_their_own_fields_alone(content: object, words: str) -> None:
    with pytest.raises(TuningError, match=f"^trial 3 .*{words}.*; begin anew$"):
        as_record(content, Outer, where="trial 3", wrong=TuningError, cure="begin anew")
