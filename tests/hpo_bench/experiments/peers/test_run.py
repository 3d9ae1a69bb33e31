"""What is said of GP-BO and peers, on synthetic landscapes and with a peer that needs no extra."""

from dataclasses import replace

import numpy as np
import pytest
import synthetic
from click.testing import CliRunner
from rich.console import Console

from hpo_bench.benchmark.result import OVERALL
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.cli.experiments.peers import command
from hpo_bench.display.progress import Progress
from hpo_bench.experiments.peers import page
from hpo_bench.experiments.peers.lineup import STAGES, Entry, Stage
from hpo_bench.experiments.peers.run import Meeting, Round, played, run
from hpo_bench.peers.registry import PEERS
from hpo_bench.statistics.comparisons import Comparison
from hpo_bench.statistics.intervals import Interval
from hpo_bench.statistics.ratios import ratio_of_means
from hpo_bench.workers import Local
from landscapes import catalogue
from landscapes.terms import BUDGETS

STAGE = Stage(
    "landscapes", "Synthetic", (), False, (Entry("optuna-tpe", 2), Entry("optuna-gp", 1, ("smooth-a/*", "rugged-b/*")))
)


@pytest.fixture(scope="module")
def runs_of_the_stage(tmp_path_factory):
    """The landscapes of the stage, and its runs."""
    root = tmp_path_factory.mktemp("peers")
    for place, name in enumerate(("smooth-a/ta", "rugged-b/ta", "smooth-c/ta")):
        synthetic.record(root / "grids", name, kind=name.partition("-")[0], seed=place)
    problems, folder = catalogue.load_all(root=root / "grids"), ResultsFolder(root / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, 2, 22)
        run(STAGE, problems, folder, workers=Local(1), progress=Progress(Console(quiet=True)))
        yield problems, folder


@pytest.fixture(scope="module")
def found(runs_of_the_stage):
    return played(STAGE, *runs_of_the_stage)


def test_each_peer_meets_gp_bo_on_the_runs_that_both_made(found):
    tpe, gp = found.meetings
    assert (tpe.runs, gp.runs) == ("3 × 2", "2 × 1")
    runs = tpe.finished.runs
    alike = runs[(runs["seed"] == 0) & runs["landscape"].isin(["smooth-a/ta", "rugged-b/ta"])]
    for who, mine in alike[(alike["optimizer"] == "gp-bo") & (alike["t"] == 22)].groupby("optimizer"):
        random = np.array([one.random_regret(22)[-1] for one in gp.finished.landscapes])
        found = gp.figure(who, gp.at("end"), ratio_of_means)
        assert found.value == pytest.approx(mine["regret"].mean() / random.mean())
    # All begin alike.
    first = runs[runs["t"] <= 4].groupby(["landscape", "seed", "t"])[["vl_weight", "exp_weight"]]
    assert (first.nunique() == 1).all(axis=None)
    value, low, high = tpe.curve("optuna-tpe", 22)
    assert value[-1] == pytest.approx(tpe.figure("optuna-tpe", tpe.at("end"), ratio_of_means).value)
    ends = tpe.finished.intervals.of(ratio_of_means, tpe.at("10").regret["gp-bo"], tpe.at("10").random)
    assert [end[9] for end in tpe.curve("gp-bo", 10)] == pytest.approx([ends.value, ends.low, ends.high])
    assert (low <= value + 1e-12).all()
    assert (value <= high + 1e-12).all()
    assert min(tpe.seconds) > 0


def test_problems_that_are_not_finished_are_left_out(runs_of_the_stage, tmp_path):
    problems, folder = runs_of_the_stage
    fewer = ResultsFolder(tmp_path / "fewer")
    fewer.open()
    whole = STAGE.plan(STAGE.entries[0], problems)
    partial = [one for one in whole.runs() if one.landscape != "smooth-c/ta" or one.seed == 0]
    fewer.add(folder.load(partial))
    (tpe,) = played(replace(STAGE, entries=STAGE.entries[:1]), problems, fewer).meetings
    assert tpe.runs == "2 of 3 × 2"
    assert played(STAGE, problems, ResultsFolder(tmp_path / "none")).meetings == ()


def test_holm_counts_the_peers_of_a_stage(found, monkeypatch):
    one = Comparison("other", Interval(0.2, 0.1, 0.3), 3, 0, 0.03)
    monkeypatch.setattr(Meeting, "comparisons", dict.fromkeys(page.POINTS, one))
    assert [own.p for own in Round(STAGE, found.meetings).verdicts[OVERALL]] == [0.06, 0.06]
    alone = Round(STAGE, found.meetings[:1])
    assert [own.verdict for own in alone.verdicts[OVERALL]] == ["better"]
    worse = replace(one, difference=Interval(-0.2, -0.3, -0.1))
    monkeypatch.setattr(Meeting, "comparisons", dict.fromkeys(page.POINTS, worse))
    alone = Round(STAGE, found.meetings[:1])
    assert "**worse than** Optuna TPE" in page.sentence(alone)
    assert "**WORSE** -0.20 [-0.30, -0.10]" in page.advantages(alone).rows[0].cells


def test_the_page_has_it_all(found, tmp_path):
    text = page.write_page([found], tmp_path).read_text(encoding="utf-8")
    assert (tmp_path / "landscapes.png").read_bytes().startswith(b"\x89PNG")
    for words in ("SYNTHETIC", "3 × 2", "2 × 1", "Optuna TPE", "optuna 5", "10 random ones", "undecided"):
        assert words in text


def test_every_peer_is_on_the_landscapes_the_dearest_on_one_of_each_pair():
    assert {entry.peer for entry in STAGES[0].entries} == set(PEERS)
    problems = STAGES[0].problems()
    (hebo,) = (entry for entry in STAGES[0].entries if entry.peer == "hebo")
    # Comparisons are over pairs.
    assert sorted(ls.card.pair for ls in hebo.chosen(problems)) == sorted({ls.card.pair for ls in problems})


def test_the_command_says_what_is_wrong(tmp_path):
    for options, words in (
        (
            ["--stage", "nosie"],
            "no stage is called 'nosie'; did you mean 'noise'? there are: landscapes, own, functions, noise",
        ),
        (["--no-run", "--stage", "landscapes", "--results", str(tmp_path)], "no runs of peers are stored"),
    ):
        assert words in str(CliRunner().invoke(command, options).exception)
