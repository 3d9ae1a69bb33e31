"""Of a pair and method in two boxes a benchmark runs the wide one; the study's stays, by name and as a suite."""

from pathlib import Path

import pytest
import synthetic

from landscapes import catalogue
from landscapes.card import CardParameter
from landscapes.suites import boxes
from landscapes.suites.recorded import members

WIDE = tuple(CardParameter(name, 0.0, 1.4, (0.0, 0.35, 0.7, 1.05, 1.4)) for name in ("vl_weight", "exp_weight"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a/ta", "a/ties", "b/ta"):
        synthetic.record(tmp_path, name)
    synthetic.record(tmp_path, "a/ta-wide", method="ta", design="wide", parameters=WIDE)
    synthetic.record(tmp_path, "c/ta", design="wide", parameters=WIDE)  # as earlier versions called it
    synthetic.record(tmp_path, "d/mine", method="other", design="sweep")
    synthetic.record(tmp_path, "d/mine-wide", method="other", design="sweep")  # a name that its owner liked
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    return tmp_path


def test_unasked_the_wide_box_stands_for_both_and_everything_else_for_itself(root: Path) -> None:
    for given in (None, root):
        assert boxes.usual(given) == ["a/ta-wide", "a/ties", "b/ta", "c/ta", "d/mine", "d/mine-wide"]


def test_the_study_is_a_suite(root: Path) -> None:
    assert members("study") == ["a/ta", "a/ties", "b/ta"]
    assert members("study", ["ta"]) == ["a/ta", "b/ta"]
    assert members("study", ["a"]) == ["a/ta", "a/ties"]


def test_beside_the_study_stands_what_is_in_its_box(root: Path) -> None:
    names = boxes.usual()
    found = boxes.in_the_study(catalogue.load_all(names, surrogate="linear"))
    assert [one.name for one in found] == ["a/ta", *names[1:]]
    assert found[0].surrogate.settings["kernel"] == "linear"
