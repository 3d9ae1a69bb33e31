"""Maps of landscapes, in the terminal and as figures, at any scale of scores and settings. Numbers are SYNTHETIC."""

import re
import warnings
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from readable import unreadable
from rich.console import Console

from hpo_bench.display import landscape_map, terminal_map
from hpo_bench.display.figures import provenance, set_foot
from landscapes import catalogue
from landscapes.importing import Reading, import_table
from landscapes.landscape import Landscape

Make = Callable[..., Landscape]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """A hill over a box as a landscape, with scores and settings at the given scales."""

    def make(
        names: str = "ab", *, n: int = 40, scale: float = 1.0, offset: float = 0.0, span: float = 1.0, levels: int = 0
    ) -> Landscape:
        X = np.random.default_rng(0).random((n, len(names)))
        if levels:
            X[:, -1] = np.arange(n) % levels / (levels - 1)
        frame = pd.DataFrame(span * X, columns=list(names))
        frame["acc"] = offset + scale * (0.8 - ((X - 0.4) ** 2).sum(1))
        frame.to_csv(tmp_path / "t.csv", index=False)
        reading = Reading(parameters=dict.fromkeys(names), metric="acc")
        return import_table(
            tmp_path / "t.csv", reading, name="my/sweep", root=tmp_path / "own", command="-", replace=True
        )

    return make


def lines(landscape: Landscape) -> list[str]:
    console = Console(file=StringIO(), width=200, color_system=None)
    console.print(terminal_map.draw(landscape))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # pyright: ignore


@pytest.mark.parametrize(
    ("scale", "offset", "unit"),
    [
        (1.0, 0.0, "1e-3"), (100.0, 0.0, "1e-1"), (-1e5, 0.0, "1e2"), (1e-5, 0.0, "1e-8"), (1e200, 0.0, "1e197"),
        (0.1, 1000.0, "1e-4"), (-0.1, -1000.0, "1e-4"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:overflow")  # squares of residuals, at 1e200
def test_cells_are_the_scores_in_the_unit_that_is_named(made: Make, scale: float, offset: float, unit: str) -> None:
    landscape = made(scale=scale, offset=offset)
    head, *rows = lines(landscape)[:12]
    told = re.fullmatch(r"b \(up\) by a \(across\); scores(?: above (\S+))? in units of (\S+)", head)
    assert told
    assert told[2] == unit
    assert (told[1] is not None) == bool(offset)
    low, high = landscape.space.low, landscape.space.high
    a, b = (np.linspace(low[axis], high[axis], 11) for axis in (0, 1))
    for row, height in zip(rows, b[::-1], strict=True):
        label, *cells = row.replace("*", " ").split()
        assert float(label) == pytest.approx(height, abs=1e-3)
        scores = landscape.score(np.stack([a, np.full(11, height)], axis=1))
        expected = (scores - float(told[1] or 0)) / float(unit)
        assert np.array([float(cell) for cell in cells]) == pytest.approx(expected, abs=0.501)
    # Columns are aligned: every number ends where the one above it does.
    ends = {tuple(match.end() for match in re.finditer(r"\S+", row.replace("*", " "))) for row in rows}
    assert len(ends) == 1
    assert sum(row.count("*") for row in rows) == 1
    assert max(map(len, rows)) <= 79


def test_nothing_is_not_written_with_a_sign() -> None:
    scale = terminal_map.ScoreScale(-0.01, 0.5, 0.0, -3)
    cells = [scale.write(score, starred=False).plain.strip() for score in (-0.0004, 0.0004, -0.001)]
    assert cells == ["0", "0", "-1"]


@pytest.mark.parametrize("span", [1e-12, 1e-3, 0.7, 1.0, 12345.0])
@pytest.mark.parametrize("names", ["a", "ab"])
def test_labels_do_not_run_together(made: Make, span: float, names: str) -> None:
    landscape = made(names, span=span)
    labels = next(line for line in reversed(lines(landscape)) if line)
    shown = [float(label) for label in labels.split()]
    assert len(shown) in (11, 6, 3)
    expected = np.linspace(landscape.space.low[0], landscape.space.high[0], len(shown))
    assert shown == pytest.approx(expected, rel=5e-3)
    assert re.search(r"\S{10}", labels) is None


def test_captions_have_significant_digits(made: Make) -> None:
    landscape = made(scale=1e-5, span=1e-3)
    words = landscape_map.caption(landscape)
    best = landscape.optimum
    assert float(re.findall(r"maximum (\S+) at", words)[0]) == pytest.approx(best.score, rel=5e-3)
    assert float(re.findall(r"a (\S+), b", words)[0]) == pytest.approx(best.x[0], rel=5e-3)


def test_captions_say_where_tuning_begins_if_the_vlm_was_asked(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta")
    assert "the VLM" not in landscape_map.caption(Landscape.read(folder))
    synthetic.ask_vlm(folder)
    landscape = Landscape.read(folder)
    answers = pd.read_parquet(folder / "vlm.parquet").query("split == 'validation'")["correct"]
    words = landscape_map.caption(landscape)
    assert float(re.findall(r"; the VLM as it is (\S+);", words)[0]) == pytest.approx(answers.mean(), abs=5e-3)
    assert landscape.on("test").vlm != landscape.vlm


def dots(figure: Figure) -> list[np.ndarray]:
    """Where each map of a figure has dots, in the parameters' own units."""
    drawn = (collection for axis in figure.axes for collection in axis.collections)
    return [np.asarray(one.get_offsets()) for one in drawn if isinstance(one, PathCollection)]


def said(figure: Figure) -> str:
    """What its legend says."""
    return "; ".join(text.get_text() for legend in figure.legends for text in legend.get_texts())


def test_every_recorded_setting_is_in_one_slice(made: Make) -> None:
    landscape = made("abc", n=30)
    figure = landscape_map.draw(landscape)
    slices = dots(figure)
    assert len(slices) == 5
    assert sorted(map(tuple, np.concatenate(slices))) == sorted(map(tuple, landscape.grid.X[:, :2]))
    levels = np.array([float(axis.get_title(loc="left").split()[1]) for axis in figure.axes[:5]])
    for level, points in zip(levels, slices, strict=True):
        for point in points:
            depth = landscape.grid.X[(landscape.grid.X[:, :2] == point).all(1), 2]
            assert np.abs(depth - level) <= np.abs(depth - levels).min() + 2e-3
    assert "nearest slice" in said(figure)
    set_foot(figure, "Made up.")
    assert unreadable(figure) == []


def test_levels_of_a_grid_have_their_own_slices(made: Make) -> None:
    landscape = made("abc", n=40, levels=4)
    figure = landscape_map.draw(landscape)
    counts = [len(points) for points in dots(figure)]
    assert sorted(counts)[-4:] == [10, 10, 10, 10]
    assert sum(counts) == 40
    assert "nearest slice" not in said(figure)


def test_a_third_side_on_a_log_scale_has_a_slice_at_its_optimum(tmp_path: Path) -> None:
    """Between 1e-5 and 1e-4 lies a quarter of the side, and not a thousandth."""
    a, b, lr = np.meshgrid([0, 0.5, 1], [0, 0.5, 1], [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], indexing="ij")
    frame = pd.DataFrame({"a": a.ravel(), "b": b.ravel(), "lr": lr.ravel()})
    frame["acc"] = -((frame.a - 0.4) ** 2) - (frame.b - 0.6) ** 2 - (np.log10(frame.lr) + 4.5) ** 2
    frame.to_csv(tmp_path / "t.csv", index=False)
    reading = Reading(parameters=dict.fromkeys(("a", "b", "lr")), kinds={"lr": frozenset({"log"})}, metric="acc")
    landscape = import_table(tmp_path / "t.csv", reading, name="my/log", root=tmp_path / "own", command="-")
    best = landscape.optimum.x[2]
    assert 2e-5 < best < 6e-5, "beside no recorded level"
    titles = [axis.get_title(loc="left") for axis in landscape_map.draw(landscape).axes]
    assert landscape_map.at(landscape, 2, best) in titles


def test_maps_of_four_dimensions_show_what_was_recorded_and_what_colours_mean(made: Make) -> None:
    landscape = made("abcd", n=50)
    figure = landscape_map.draw(landscape)
    assert [len(points) for points in dots(figure)] == [50] * 6
    assert any(axis.get_ylabel() == "acc, validation" for axis in figure.axes)
    assert "whatever its other hyperparameters" in said(figure)
    set_foot(figure, "Made up.")
    assert unreadable(figure) == []


def test_letters_that_the_font_lacks_raise_no_warning(made: Make) -> None:
    landscape = made("学习")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert landscape_map.encoded(landscape)["png"]
        assert set(landscape_map.for_page(landscape)) == {"svg", "csv", "webp"}


def test_a_map_for_a_page_is_drawn_once_and_again_by_other_code_or_of_other_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn: list[str] = []
    draw = landscape_map.draw
    monkeypatch.setattr(landscape_map, "draw", lambda one: (drawn.append(one.name), draw(one))[1])

    def look(*, seed: int = 0) -> dict[str, bytes]:
        return landscape_map.for_page(Landscape.read(synthetic.record(tmp_path / str(seed), "smooth-a/ta", seed=seed)))

    first = look()
    assert first["webp"].startswith(b"RIFF")
    assert first["svg"].startswith(b"<?xml")
    assert look() == first
    assert len(drawn) == 1
    assert look(seed=1) != first
    monkeypatch.setattr(landscape_map, "_code", lambda: "other code")
    assert look() == first
    assert len(drawn) == 3


@pytest.mark.parametrize("name", ["layout-idefics2/ta-wide", "sums-llama/ties"])
def test_shipped_maps_can_be_read_and_say_what_marks_are(name: str) -> None:
    landscape = catalogue.load(name)
    figure = landscape_map.draw(landscape)
    set_foot(figure, provenance([landscape]))
    assert unreadable(figure) == []
    assert landscape_map.title(landscape).startswith(name)
    assert said(figure) == "recorded; optimum; weights add up to 1"
