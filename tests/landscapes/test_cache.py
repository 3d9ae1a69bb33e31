"""What was measured is found again by content, and a broken cache never hurts. Numbers are SYNTHETIC."""

import json
import os
from pathlib import Path

import pytest
import synthetic
import synthetic_truth

from landscapes import cache, extremes, landscape, maxima
from landscapes.landscape import Landscape


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return synthetic.record(tmp_path / "grids", "smooth-a/ta")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was measured and not recalled, in order."""
    done: list[str] = []

    def watched(real, name: str):
        def spy(*args, **kwargs):
            done.append(name)
            return real(*args, **kwargs)

        return spy

    for where, name in (
        (extremes.extrema, "maximum"),
        (extremes.extrema, "minimum"),
        (landscape, "measure"),
        (maxima, "find"),
    ):
        monkeypatch.setattr(where, name, watched(getattr(where, name), name))
    return done


def look(folder: Path) -> list[str]:
    one = Landscape.read(folder)
    assert one.maxima is not None
    found = [repr(one.optimum), repr(one.minimum), repr(one.fidelity()), *one.weaknesses]
    return [*found, repr(one.maxima.as_json())]


def test_nothing_is_measured_twice(folder: Path, measured: list[str]) -> None:
    first = look(folder)
    assert {"measure", "find"} <= set(measured)
    assert measured.count("maximum") >= 1
    measured.clear()
    assert look(folder) == first
    assert measured == []
    assert {path.parent for path in (folder.parents[2] / "cache").rglob("*.json")} == {cache.folder()}


def test_what_changes_is_measured_again(folder: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    look(folder)
    measured.clear()
    synthetic_truth.hold_out(folder)
    assert Landscape.read(folder).fidelity().held_out == 64
    assert "measure" in measured
    measured.clear()
    synthetic.record(folder.parents[1], "smooth-a/ta", seed=1)
    look(folder)
    assert {"maximum", "minimum", "measure"} <= set(measured)
    measured.clear()
    monkeypatch.setattr(cache, "_code", lambda: "other code")
    look(folder)
    assert {"maximum", "minimum", "measure"} <= set(measured)


FIGURES = {"x": [1 / 3, 0.1 + 0.2], "word": "high"}


def is_measured() -> bool:
    """Whether figures that are asked for are not recalled; they are the same either way."""
    done: list[None] = []

    def measure() -> dict[str, object]:
        done.append(None)
        return FIGURES

    assert cache.recall("a recording", measure) == FIGURES
    return bool(done)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"digest": "x", "figures": {}}', "\x00", "[" * 5000])
def test_a_broken_cache_is_measured_over(content: str) -> None:
    assert is_measured()
    (path,) = cache.folder().glob("*.json")
    path.write_text(content)
    assert is_measured()
    assert not is_measured()
    assert json.loads(path.read_text())["figures"] == FIGURES
    assert list(cache.folder().iterdir()) == [path], "nothing half written is left"


@pytest.mark.parametrize("place", ["/proc/nowhere", "relative", ""])
def test_an_unwritable_cache_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    if not place.startswith("/"):
        monkeypatch.setenv("HOME", "/proc/nowhere")
    assert is_measured()
    assert is_measured()


@pytest.mark.usefixtures("folder")
def test_other_code_measures_anew_in_the_place_of_the_former() -> None:
    made: list[str] = []

    def by(code: str) -> object:
        return cache.recall("a recording", lambda: {"by": (made.append(code), code)[1]}, code=code)["by"]

    assert [by(code) for code in ("old", "old", "new", "new", "old")] == ["old", "old", "new", "new", "old"]
    assert made == ["old", "new", "old"]
    assert len(list(cache.folder().iterdir())) == 1


@pytest.mark.usefixtures("folder")
def test_a_file_where_the_folder_should_be() -> None:
    cache.folder().parent.mkdir()
    cache.folder().write_text("no folder")
    assert is_measured()


@pytest.mark.usefixtures("folder")
def test_a_pipe_in_the_cache_is_not_waited_for() -> None:
    assert is_measured()
    (path,) = cache.folder().glob("*.json")
    path.unlink()
    os.mkfifo(path)
    assert is_measured()
