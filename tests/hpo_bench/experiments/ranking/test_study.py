"""The whole comparison on SYNTHETIC landscapes: stored, resumed, told, drawn."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

from hpo_bench.benchmark.contender import Contender
from hpo_bench.cli import cli
from hpo_bench.display.progress import Progress
from hpo_bench.experiments.ranking import outcome, page
from hpo_bench.experiments.ranking.run import Ranking
from hpo_bench.workers import Local
from landscapes import catalogue
from landscapes.errors import LandscapeError

KINDS = ("thin_plate_spline", "linear", "noise")


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grids")
    for place, name in enumerate(("smooth-a/ta", "rugged-c/dare")):
        synthetic.record(root, name, kind=name.split("-", maxsplit=1)[0], seed=place)
    return root


@pytest.fixture(scope="module")
def made(grids: Path, tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    """The comparison, all of it run."""
    whole = comparison(grids, tmp_path_factory.mktemp("ranking"))
    assert run(whole) == whole.total == 36
    return whole


def comparison(grids: Path, folder: Path, kinds=KINDS, seeds: int = 2) -> Ranking:
    contenders = [Contender.find(name) for name in ("random", "pattern-search", "grid")]
    return Ranking.of(
        contenders, catalogue.load_all(root=grids), kinds, folder, seeds=seeds, budget=12, pairs=grids / "none"
    )


def run(made: Ranking, jobs: int = 1) -> int:
    return made.run(workers=Local(jobs), progress=Progress(Console(quiet=True)))


def test_what_the_page_needs_is_read_before_a_run(grids: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(grids, tmp_path / "grids"))
    held_out = damaged / "rugged-c" / "dare" / "held_out"
    held_out.mkdir()
    (held_out / "grid.parquet").write_bytes(b"damaged")
    (held_out / "card.yaml").write_text("pair: [")
    with pytest.raises(LandscapeError, match="held_out"):
        run(comparison(damaged, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_runs_are_made_once_and_go_on_where_they_stopped(made: Ranking, grids: Path, tmp_path: Path) -> None:
    assert run(made) == 0
    half = comparison(grids, tmp_path / "half")
    assert run(replace(half, plans={kind: half.plans[kind] for kind in KINDS[:2]})) == 24
    assert run(half) == 12
    assert outcome.as_json(half) == outcome.as_json(made)


def test_guises_are_the_benchmarks_own_runs(made: Ranking, grids: Path) -> None:
    plan = replace(made.plans["linear"], judged=None)
    again = list(replace(plan, landscapes=tuple(catalogue.load_all(root=grids, surrogate="linear"))).runs())
    assert {one.key for one in again} <= made.folder.keys()


def test_the_first_guise_is_the_reference_and_scores_are_the_benchmarks(made: Ranking) -> None:
    of = made.agreements["thin_plate_spline"]["end"]
    assert (of.tau, of.same_winner) == (1.0, True)
    regret = made.finished["thin_plate_spline"].regrets.values
    assert regret.shape == (2, 3, 2, 12)
    assert (np.diff(regret) <= 0).all()  # an incumbent never gets worse
    assert ((regret >= 0) & (regret <= 1)).all()
    # What is recommended changes when it is asked for, and not in between.
    noisy = made.finished["noise"].regrets.values
    assert (noisy[..., 1:9] == noisy[..., :1]).all()
    assert (noisy[..., 9:11] == noisy[..., 9:10]).all()
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert outcome.sentence(made).startswith("Against RBF, thin plate spline, at the end:")


def test_rankings_are_given_with_and_without_weak_landscapes(made: Ranking, monkeypatch) -> None:
    assert outcome.sound(made) is None  # nothing is held out, so that both are weak
    assert "rugged-c/dare†, smooth-a/ta†" in str(page.parts_of(made))
    monkeypatch.setattr(page.outcome, "split", lambda found: (found[1:], found[:1]))
    without = made.only(made.landscapes[1:])
    name = without.landscapes[0].name
    alone, among = (one.finished["linear"].regrets.curve(name, "grid") for one in (without, made))
    assert np.array_equal(alone, among)
    assert "1 of 2 landscapes is not weak" in str(page.parts_of(made))
    assert outcome.as_json(made)["without_weak"]["landscapes"] == ["smooth-a/ta"]
    assert outcome.as_json(made)["without_weak"]["agreement"] == outcome.as_json(without)["agreement"]


def test_other_seeds_and_budgets_are_other_runs(made: Ranking, grids: Path, tmp_path: Path) -> None:
    shutil.copytree(made.folder.path, tmp_path / "out" / "runs")
    # Seeds that are there stay, as in any benchmark.
    assert run(comparison(grids, tmp_path / "out", seeds=3)) == 18
    shorter = replace(comparison(grids, tmp_path / "out").plans["linear"], budget=6)
    assert run(replace(comparison(grids, tmp_path / "out"), plans={"linear": shorter})) == 12


def test_the_command_prints_draws_and_keeps(grids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "ranking -o random -o sobol --guise cubic --guise noise --seeds 2 --budget 6 -j 1 --landscapes-dir"
    command = [*words.split(), str(grids)]
    shown = CliRunner().invoke(cli, command)
    assert shown.exit_code == 0, shown.output
    assert "Does the ranking survive?" in shown.output
    assert "16 of 16 runs made" in shown.output
    folder = tmp_path / "results" / "ranking"
    content = json.loads((folder / "ranking.json").read_text())
    assert set(content["agreement"]) == {"cubic", "noise"}
    assert Image.open(folder / "ranking.png").size[0] > 600
    page = (folder / "ranking.md").read_text()
    assert "SYNTHETIC" in page
    assert f"| RBF, cubic | itself [{content['agreement']['cubic']['end']['low']:.2f}, 1.00]" in page
    assert f"{content['mean_regret']['noise']['end']['sobol']:.3f} |" in page
    assert "real merges" not in page
    elsewhere = CliRunner().invoke(cli, [*command, "--out", "docs"])
    assert "0 of 16 runs made" in elsewhere.output
    assert (tmp_path / "docs" / "ranking.md").read_text() == page
    wrong = CliRunner().invoke(cli, ["ranking", "--guise", "spline"])
    assert "no guise is called 'spline'" in str(wrong.exception)
    unbuilt = CliRunner().invoke(cli, [*command, "--real"])
    assert "no pair of these landscapes is built" in str(unbuilt.exception)
