"""README's results are those that the code produces; `make readme` writes them anew."""

import json
from pathlib import Path

import numpy as np
import pytest

import optimizers
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.runner import advance
from hpo_bench.errors import ResultsError
from hpo_bench.experiments import readme
from hpo_bench.statistics.intervals import Intervals
from hpo_bench.statistics.ratios import RATIOS
from landscapes import catalogue
from landscapes.suites import boxes

ROOT = Path(readme.__file__).parents[2]
AGAIN = "run `make readme`"


@pytest.fixture(scope="module")
def kept():
    return json.loads((ROOT / readme.KEPT).read_text(encoding="utf-8"))


def test_readme_shows_the_results_that_are_kept(kept):
    text = (ROOT / readme.README).read_text(encoding="utf-8")
    shown = text.partition(readme.BEGIN)[2].partition(readme.END)[0]
    assert shown == readme.block(kept), AGAIN
    assert (ROOT / readme.PAGE).read_text(encoding="utf-8") == readme.page(kept), AGAIN


def test_the_results_are_of_these_optimisers_and_landscapes(kept):
    versions = {identity: one["version"] for identity, one in kept["optimizers"].items()}
    assert versions == {name: kind.version for name, kind in optimizers.available().items()}, AGAIN
    hashes = {one["name"]: one["content_hash"] for one in kept["landscapes"]}
    assert hashes == {landscape.name: landscape.content_hash for landscape in catalogue.load_all(boxes.usual())}, AGAIN


def test_the_figures_follow_from_the_regrets_that_are_kept(kept):
    intervals = Intervals([one["pair"] for one in kept["landscapes"]])
    subsets = {
        "_all": np.ones(len(kept["landscapes"]), dtype=bool),
        "_sound": np.array([not one["weaknesses"] for one in kept["landscapes"]]),
    }
    for point in kept["null_band"]:
        random = np.array([one["random_regret"][point] for one in kept["landscapes"]])
        for identity, one in kept["optimizers"].items():
            regret = np.array([[landscape["regret"][point][identity]] for landscape in kept["landscapes"]])
            for name, summary in RATIOS.items():
                for suffix, members in subsets.items():
                    found = intervals.of(summary, regret, random, kept=members).as_json()
                    assert one["at"][point][name + suffix] == pytest.approx(found), AGAIN


def test_the_regrets_are_those_of_the_optimisers(kept):
    """On one landscape they are made again: an optimiser that changed without another version is noticed, too."""
    (landscape,) = catalogue.load_all(["ja-llama/ta-wide"])
    (stored,) = (one for one in kept["landscapes"] if one["name"] == landscape.name)
    contenders = tuple(Contender.find(name) for name in kept["optimizers"])
    for chunk in Plan(contenders, (landscape,), kept["seeds"], None).chunks():
        scores = advance(chunk, {landscape.name: landscape}).to_pandas()["score"].to_numpy()
        regret = landscape.regret(np.maximum.accumulate(scores.reshape(len(chunk.runs), -1), axis=1))
        for point in ("10", "20", "end"):
            t = -1 if point == "end" else int(point) - 1
            # The last digits of GP-BO's models are the machine's.
            assert regret[:, t].mean() == pytest.approx(stored["regret"][point][chunk.optimizer], abs=2e-3), AGAIN


def test_what_cannot_be_published_is_refused(tmp_path, kept):
    with pytest.raises(ResultsError, match=r"summary\.json does not exist; .*run `hpo-bench run` first"):
        readme.publish(tmp_path, tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps({**kept, "unseen": None}))
    with pytest.raises(ResultsError, match="has no report of this version on recorded landscapes"):
        readme.publish(tmp_path, tmp_path)
    before = {"optimisers" if key == "optimizers" else key: value for key, value in kept.items()} | {"unseen": True}
    (tmp_path / "summary.json").write_text(json.dumps(before))
    with pytest.raises(ResultsError, match="run `hpo-bench run` without"):
        readme.publish(tmp_path, tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps(kept))
    (tmp_path / "README.md").write_text("no marks")
    with pytest.raises(ResultsError, match="has no lines <!-- results -->"):
        readme.publish(tmp_path, tmp_path)
    assert (tmp_path / "README.md").read_text() == "no marks"
    (tmp_path / "README.md").write_text(f"before\n{readme.BEGIN}old\n{readme.END}\nafter\n")
    (tmp_path / "figures").mkdir()
    for name in readme.FIGURES:
        (tmp_path / "figures" / name).write_bytes(name.encode())
    readme.publish(tmp_path, tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text == f"before\n{readme.BEGIN}{readme.block(kept)}{readme.END}\nafter\n"
    for name, place in readme.FIGURES.items():
        assert (tmp_path / place).read_bytes() == name.encode()
    assert "Without weak ones" in (tmp_path / readme.PAGE).read_text(encoding="utf-8")
