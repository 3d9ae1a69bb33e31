"""The whole comparison on SYNTHETIC landscapes: stored, resumed, told, drawn."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import synthetic
from click.testing import CliRunner
from joblib.externals.loky import get_reusable_executor
from PIL import Image

from hpo_bench.benchmark.contender import Contender
from hpo_bench.cli import cli
from hpo_bench.experiments.ranking import outcome, page
from hpo_bench.experiments.ranking.run import Comparison
from landscapes import catalogue
from landscapes.errors import LandscapeError
from optimizers.grid import Grid

KINDS = ("thin_plate_spline", "linear", "noise")


@pytest.fixture
def grids(tmp_path: Path) -> Path:
    for place, name in enumerate(("smooth-a/ta", "rugged-c/dare")):
        synthetic.record(tmp_path / "grids", name, kind=name.split("-", maxsplit=1)[0], seed=place)
    return tmp_path / "grids"


def comparison(grids: Path, folder: Path, kinds=KINDS, seeds: int = 2) -> Comparison:
    contenders = [Contender.find(name) for name in ("random", "pattern-search", "grid")]
    return Comparison(
        contenders, catalogue.load_all(root=grids), kinds, folder, seeds=seeds, budget=12, pairs=grids / "none"
    )


def test_what_the_page_needs_is_read_before_a_race(grids: Path, tmp_path: Path) -> None:
    held_out = grids / "rugged-c" / "dare" / "held_out"
    held_out.mkdir()
    (held_out / "grid.parquet").write_bytes(b"damaged")
    (held_out / "card.yaml").write_text("pair: [")
    with pytest.raises(LandscapeError, match="held_out"):
        comparison(grids, tmp_path / "out").run(jobs=1)
    assert not (tmp_path / "out").exists()


def test_races_are_made_once_and_go_on_where_they_stopped(grids: Path, tmp_path: Path) -> None:
    whole = comparison(grids, tmp_path / "whole")
    assert whole.run(jobs=1) == len(whole.tasks) == 18
    assert whole.run(jobs=1) == 0
    half = comparison(grids, tmp_path / "half")

    def interrupt(word: str, done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half.run(jobs=1, told=interrupt)
    left = half.run(jobs=1)
    assert 0 < left < 18
    assert outcome.as_json(half) == outcome.as_json(whole)


def test_the_first_guise_is_the_reference_and_scores_are_the_benchmarks(grids: Path, tmp_path: Path) -> None:
    made = comparison(grids, tmp_path / "out")
    made.run(jobs=1)
    of = made.agreements()["thin_plate_spline"]["end"]
    assert (of.tau, of.same_winner) == (1.0, True)
    regret = made.regrets("thin_plate_spline")
    for values in regret.values():
        assert [one.shape for one in values] == [(2, 12)] * 2
        assert all((np.diff(one, axis=1) <= 0).all() for one in values)  # an incumbent never gets worse
        assert all(one.min() >= 0 and one.max() <= 1 for one in values)
    # What is recommended changes when it is asked for, and not in between.
    held = [one for values in made.regrets("noise").values() for one in values]
    assert all((one[:, 1:9] == one[:, :1]).all() and (one[:, 9:11] == one[:, 9:10]).all() for one in held)
    noisy = np.concatenate([one.ravel() for values in made.regrets("noise").values() for one in values])
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert outcome.sentence(made).startswith("Against RBF, thin plate spline, at the end:")


def test_rankings_are_given_with_and_without_weak_landscapes(grids: Path, tmp_path: Path, monkeypatch) -> None:
    made = comparison(grids, tmp_path / "out")
    made.run(jobs=1)
    assert outcome.sound(made) is None  # nothing is held out, so that both are weak
    assert "rugged-c/dare†, smooth-a/ta†" in page.text(made)
    monkeypatch.setattr(page.outcome, "split", lambda found: (found[1:], found[:1]))
    without = made.only(made.landscapes[1:])
    assert without.regrets("linear")["grid"][0].tolist() == made.regrets("linear")["grid"][1].tolist()
    assert "1 of 2 landscapes is not weak" in page.text(made)
    assert outcome.as_json(made)["without_weak"]["landscapes"] == ["smooth-a/ta"]
    assert outcome.as_json(made)["without_weak"]["agreement"] == outcome.as_json(without)["agreement"]


def test_without_a_seed_one_run_is_enough_but_for_noise(grids: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Grid, "seeded", False)
    made = comparison(grids, tmp_path / "out", kinds=("linear", "noise"))
    made.run(jobs=1)
    assert all((one == one[0]).all() for one in made.regrets("linear")["grid"])
    assert not all((one == one[0]).all() for one in made.regrets("noise")["grid"])
    assert not all((one == one[0]).all() for one in made.regrets("linear")["random"])


def test_other_seeds_and_budgets_are_other_races(grids: Path, tmp_path: Path) -> None:
    comparison(grids, tmp_path / "out").run(jobs=1)
    assert comparison(grids, tmp_path / "out", seeds=3).run(jobs=1) == 18


def test_the_command_prints_draws_and_keeps(grids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "ranking -o random -o sobol --guise cubic --guise noise --seeds 2 --budget 6 -j 1 --landscapes-dir grids"
    shown = CliRunner().invoke(cli, words.split())
    assert shown.exit_code == 0, shown.output
    assert "Does the ranking survive?" in shown.output
    assert "8 of 8 races made" in shown.output
    folder = tmp_path / "results" / "ranking"
    content = json.loads((folder / "ranking.json").read_text())
    assert set(content["agreement"]) == {"cubic", "noise"}
    assert Image.open(folder / "ranking.png").size[0] > 600
    page = (folder / "ranking.md").read_text()
    assert "SYNTHETIC" in page
    assert f"| RBF, cubic | itself [{content['agreement']['cubic']['end']['low']:.2f}, 1.00]" in page
    assert f"{content['mean_regret']['noise']['end']['sobol']:.3f} |" in page
    assert "real merges" not in page
    elsewhere = CliRunner().invoke(cli, [*words.split(), "--out", "docs"])
    assert "0 of 8 races made" in elsewhere.output
    assert (tmp_path / "docs" / "ranking.md").read_text() == page
    wrong = CliRunner().invoke(cli, ["ranking", "--guise", "spline"])
    assert "no guise is called 'spline'" in str(wrong.exception)
    unbuilt = CliRunner().invoke(cli, [*words.split(), "--real"])
    assert "no pair of these landscapes is built" in str(unbuilt.exception)


MORTAL = """
import os
import signal
from pathlib import Path
from optimizers import Optimizer

class Mortal(Optimizer):
    name, label = "mortal", "Mortal"

    def _next(self):
        mark = Path(os.environ["HPO_BENCH_TEST_DEATH"])
        if self.asked == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [self.seed % 97 / 97, *[self.asked / self.budget] * (self.dim - 1)]
"""


def test_a_worker_that_is_killed_costs_its_race_and_no_traceback(
    grids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "doomed.py").write_text(MORTAL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("HPO_BENCH_TEST_DEATH", str(tmp_path / "died"))
    get_reusable_executor().shutdown(wait=True)  # Workers of an earlier test know another environment.
    made = Comparison(
        [Contender.find("doomed:Mortal")], catalogue.load_all(root=grids), ("linear",), tmp_path / "out",
        seeds=1, budget=6, pairs=grids / "none",
    )  # fmt: skip
    assert made.run(jobs=2) == 2
    assert made.run(jobs=2) == 0
    assert (tmp_path / "died").exists()
