"""Listing, checking, drawing, adding and removing landscapes from the command line."""

import json
from pathlib import Path

import checkouts
import numpy as np
import pandas as pd
import pytest
import synthetic
import synthetic_truth
from click.testing import CliRunner
from PIL import Image

import hpo_bench as hb
from hpo_bench.cli import cli
from landscapes import catalogue
from landscapes.errors import InvalidGridError, UnknownLandscapeError, UnwritableError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, tier in {"smooth-a/ta": "pretrained", "smooth-a/dare": "nano"}.items():
        synthetic.record(tmp_path / "grids", name, tier=tier)
    synthetic_truth.hold_out(tmp_path / "grids" / "smooth-a/ta")
    return tmp_path / "grids"


def run(*arguments: object, **options):
    return CliRunner().invoke(cli, ["landscapes", *map(str, arguments)], catch_exceptions=True, **options)


def test_list_names_every_landscape_and_marks_what_is_synthetic_and_weak(folder: Path) -> None:
    shown = run("list", "--landscapes-dir", folder)
    assert shown.exit_code == 0, shown.output
    assert "smooth-a/ta (SYNTHETIC)" in shown.output
    assert "smooth-a/dare† (SYNTHETIC)" in shown.output
    assert "1 of 2 weak (†)" in shown.output
    assert "nano: 1, 1 of them weak; pretrained: 1, 0 of them weak" in shown.output
    assert "nano" in shown.output
    only_one = run("list", "ta", "--landscapes-dir", folder).output
    assert "pretrained" in only_one
    assert "smooth-a/dare" not in only_one


def test_what_is_measured_for_the_first_time_is_told_and_done_by_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for letter in "abcde":
        synthetic.record(tmp_path / "grids", f"smooth-{letter}/ta")
    first, second = (run("list", "--landscapes-dir", tmp_path / "grids", "-j", 2) for _ in range(2))
    assert first.stderr == "measuring 5 landscapes for the first time, a second or so each\n"
    assert second.stderr == ""
    assert first.stdout == second.stdout
    assert "5 of 5 weak" in first.stdout
    assert "for the first time" not in run("check", "--landscapes-dir", tmp_path / "grids", "-j", 1).stderr


def test_check_says_which_are_weak_and_why(folder: Path) -> None:
    shown = run("check", "--landscapes-dir", folder, "-j", 1)
    assert shown.exit_code == 1, shown.output
    assert "smooth-a/dare†: held-out RMSE not measured" in shown.output
    assert "mask noise not measured" in shown.output
    assert "nobody recorded held-out settings of smooth-a/dare" in shown.output
    assert "beside its Table 12: TA" in shown.output
    assert "By tier" in shown.output
    assert "Shapes: a plateau has at least 0.9 of the range" in shown.output
    sound = run("check", "ta", "--landscapes-dir", folder, "-j", 1)
    assert sound.exit_code == 0, sound.output
    assert "0 of 1 weak" in sound.output
    assert "By tier" not in sound.output


def test_check_gives_json(folder: Path) -> None:
    shown = run("check", "--landscapes-dir", folder, "--json", "-j", 1)
    dare, ta = json.loads(shown.output)
    assert (dare["name"], ta["name"]) == ("smooth-a/dare", "smooth-a/ta")
    assert dare["held_out_rmse"] is None
    assert ta["held_out"] == 64
    assert ta["spearman"] > 0.9
    assert ta["weaknesses"] == []
    assert ta["maxima"] == 1
    assert (dare["tier"], ta["tier"], ta["shape"]) == ("nano", "pretrained", ["hill"])


def test_show_draws_into_a_folder(folder: Path) -> None:
    out = folder / "maps"
    shown = run("show", "smooth-a/dare", "--landscapes-dir", folder, "--out", out)
    assert shown.exit_code == 0, shown.output
    assert str(out / "smooth-a-dare.png") in shown.output
    assert Image.open(out / "smooth-a-dare.png").size[0] > 600
    assert (out / "smooth-a-dare.svg").read_text().startswith("<?xml")


def test_show_draws_in_the_terminal(folder: Path) -> None:
    shown = run("show", "smooth-a/ta", "--landscapes-dir", folder)
    assert shown.exit_code == 0, shown.output
    assert "(pretrained, language, synthetic-questions)" in shown.output
    landscape = catalogue.load("smooth-a/ta", root=folder)
    assert "exp_weight (up) by vl_weight (across)" in shown.output
    assert shown.output.count("*") == 1
    corner = f"{1000 * landscape.score([[0.2, 1.0]])[0]:.0f}"
    assert corner in next(line for line in shown.output.splitlines() if line.strip().startswith("1 "))
    with_density = run("show", "smooth-a/dare", "--landscapes-dir", folder).output
    assert with_density.count("(up) by") == 3


def test_show_suggests_what_it_would_load(folder: Path) -> None:
    wrong = run("show", "smooth-a", "--landscapes-dir", folder).exception
    assert str(wrong).endswith("did you mean smooth-a/dare or smooth-a/ta?")


def test_show_refuses_unknown_names(folder: Path) -> None:
    assert isinstance(run("show", "smooth-a/tta", "--landscapes-dir", folder).exception, UnknownLandscapeError)


def table(tmp_path: Path, dim: int = 2) -> Path:
    X = np.random.default_rng(0).random((40, dim))
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"][:dim]).assign(f1=-((X - 0.5) ** 2).sum(1))
    path = tmp_path / "sweep.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("space", "told"), [("a=-1..2,b=0..1", True), ("a=0..1,b", False), ("a,b", False)])
def test_a_box_that_is_narrower_than_was_named_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str, told: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    added = run("add", str(table(tmp_path)), "--space", space, "--metric", "f1")
    assert added.exit_code == 0, added.output
    assert ("note: a was recorded from 0.0" in added.output) == told, added.output
    assert "note: b" not in added.output


def test_a_table_of_examples_is_added_with_their_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(
        [(lr, f"q{i}", i % 10 < 2 + 28 * lr * (1 - lr)) for lr in np.linspace(0, 1, 5) for i in range(30)],
        columns=["lr", "id", "correct"],
    )
    frame.to_csv("answers.csv", index=False)
    added = run("add", "answers.csv", "--space", "lr", "--example", "id", "--score", "correct", "--tier", "pretrained")
    assert added.exit_code == 0, added.output
    assert "5 settings. answers/sweep† (pretrained, other, answers)" in added.output
    assert "standard error of one evaluation" in added.output
    assert (tmp_path / "my-landscapes/answers/sweep/outcomes.parquet").exists()


def test_published_sweeps_serve_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One-dimensional sweeps, and a grid that lacks settings: check, map, runs of every optimiser."""
    monkeypatch.chdir(tmp_path)
    repo = checkouts.code_merges(tmp_path / "repo")
    for file in (repo / "mergekit/csv_output").glob("*qwc7*"):
        file.unlink()
    imported = run("import", "code-merges", repo)
    assert imported.exit_code == 0, imported.output
    assert "deepseek-coder-1.3b/dare-2d-both: 8 settings, best" in imported.output
    assert "defect: dare_experiment_results_m_dare_dsc13_d0_3_0_7_ties_m_h.csv: has no scores" in imported.output
    assert "cite: Zhu, Sobolev" in imported.output
    assert "next: hpo-bench run -l deepseek-coder-1.3b" in imported.output
    drawn = run("show", "deepseek-coder-1.3b/dare-1d-both")
    assert "generation weight" in drawn.output or "generation_weight" in drawn.output
    assert "2 of 2 weak" in run("check", "deepseek-coder-1.3b/*-both", "-j", 1).output
    names = ["deepseek-coder-1.3b/dare-1d-both", "deepseek-coder-1.3b/dare-2d-both"]
    result = hb.run_benchmark(landscapes=names, seeds=1, budget=6, report=False, progress=False)
    assert set(result.runs["landscape"]) == set(names)
    assert result.runs["regret"].between(0, 1).all()
    refused = run("import", "naturelm", repo)
    assert isinstance(refused.exception, InvalidGridError)


def test_ones_own_grid_from_table_to_run_to_removal(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "ROOT", folder)
    added = run("add", table(tmp_path), "--space", "a=0..1,b", "--metric", "f1", "--notes", "from a paper")
    assert added.exit_code == 0, added.output
    assert "my-landscapes/sweep/sweep: 40 settings" in added.output
    assert "hpo-bench run -l sweep/sweep" in added.output
    card = catalogue.load("sweep/sweep").card
    assert (card.notes, card.tier) == ("from a paper", "elsewhere")
    assert "your own, in my-landscapes: sweep/sweep" in run("list").output
    ran = CliRunner().invoke(
        cli,
        [
            "run",
            "-l",
            "sweep",
            "-o",
            "random",
            "-o",
            "sobol",
            "--seeds",
            "2",
            "--budget",
            "5",
            "-j",
            "1",
            "--no-report",
        ],
    )
    assert ran.exit_code == 0, ran.output
    checked = run("check", "sweep")
    assert checked.exit_code == 1
    assert "noise of one evaluation not measured" in checked.output
    kept = run("remove", "sweep/sweep", input="n\n")
    assert kept.exit_code == 1
    assert "nothing is deleted" in kept.output
    assert catalogue.names(catalogue.OWN) == ["sweep/sweep"]
    removed = run("remove", "sweep/sweep", "--yes")
    assert removed.exit_code == 0, removed.output
    assert not (tmp_path / "my-landscapes" / "sweep").exists()
    assert isinstance(run("remove", "sweep/sweep", "--yes").exception, UnknownLandscapeError)


def test_four_dimensions_are_drawn_two_by_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("add", table(tmp_path, 4), "--space", "a,b,c,d", "--metric", "f1", "--minimise").exit_code == 0
    shown = run("show", "sweep/sweep")
    assert shown.output.count("(up) by") == 6
    drawn = run("show", "sweep/sweep", "--out", ".")
    assert drawn.exit_code == 0, drawn.output
    assert Image.open(tmp_path / "sweep-sweep.png").size[0] > 600


def test_add_and_remove_refuse_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = table(tmp_path)
    space = ("--space", "a,b", "--metric", "f1")
    wrong = run("add", path, "--space", "a,b", "--metric", "F1").exception
    assert isinstance(wrong, InvalidGridError)
    assert "did you mean 'f1'" in str(wrong)
    run("add", path, "--space", "a,b", "--metric", "f1")
    assert isinstance(run("add", path, "--space", "a,b", "--metric", "f1").exception, UnwritableError)
    assert "has no column '²'" in str(run("add", path, *space, "--name", "x/y", "--examples", "²").exception)
    for examples in ("-3", "10.5"):
        wrong = run("add", path, "--space", "a,b", "--metric", "f1", "--name", "x/y", "--examples", examples)
        assert f"Invalid value for '--examples': {examples} examples make no score" in wrong.stderr
    unnamed = path.rename(tmp_path / "学习率.csv")
    assert "--name PAIR/METHOD" in str(run("add", unnamed, "--space", "a,b", "--metric", "f1").exception)
    spaced = unnamed.rename(tmp_path / "my sweep.csv")
    assert "my-landscapes/my-sweep/sweep" in run("add", spaced, "--space", "a,b", "--metric", "f1").output
    part = run("remove", "sweep", "--yes").exception
    assert "no landscape is called 'sweep' in my-landscapes; did you mean" in str(part)
    assert "sweep/sweep" in str(part)
    assert "is not a folder" in str(run("remove", "sweep/sweep", "--landscapes-dir", "elsewhere", "--yes").exception)
    helps = run("remove", "--help").output
    assert "landscapes remove sweep/sweep" in helps
    assert "landscapes add" not in helps
    shipped = run("remove", "ja-llama/ta", "--yes")
    assert shipped.exit_code == 2
    assert "ships with the package and stays" in shown_error(shipped)


def shown_error(result) -> str:
    return result.output + (result.stderr if result.stderr_bytes else "")


def test_study_prints_and_draws(folder: Path, tmp_path: Path) -> None:
    shown = run("study", "--landscapes-dir", folder, "--out", tmp_path / "figures")
    assert shown.exit_code == 0, shown.output
    assert "Where the optimum lies, by method" in shown.output
    assert "sum = 1" in shown.output
    assert "Cost of restrictions" in shown.output
    for name in ("study_restrictions", "study_optima"):
        assert Image.open(tmp_path / "figures" / f"{name}.png").size[0] > 400
    plain = tuple(axis for axis in synthetic.card("x/dare").parameters if axis.name != "vl_weight")
    synthetic.record(tmp_path / "plain", "x/dare", parameters=plain)
    shown = run("study", "--landscapes-dir", tmp_path / "plain", "--out", tmp_path / "none")
    assert "figures: none, as there is nothing to draw" in shown.output
    assert "restricting" not in shown.output, "no coefficients, no table of what their sum costs"
    (tmp_path / "empty").mkdir()
    missing = run("study", "--landscapes-dir", folder, "--results", tmp_path / "empty")
    assert "make it with `hpo-bench run" in str(missing.exception)


def test_sweeps_over_decades_are_hinted_at_mapped_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lr, layers = 10 ** rng.uniform(-6, -1, 60), rng.integers(1, 9, 60)
    frame = pd.DataFrame({"model.lr": lr, "layers": layers, "state": "COMPLETE"})
    frame["eval/acc"] = 0.9 - 0.05 * (np.log10(lr) + 3) ** 2 - 0.01 * (layers - 5) ** 2
    frame.loc[7, "state"] = "PRUNED"
    frame.to_csv("optuna.csv", index=False)
    common = ["add", "optuna.csv", "--metric", "eval/acc", "--name", "x/y", "--replace"]
    refused = run(*common, "--space", "model.lr,layers").exception
    assert "row 8, column 'state'" in str(refused)
    linear = run(*common, "--space", "model.lr,layers", "--drop-failed")
    assert linear.exit_code == 0, linear.output
    assert "Rows left out: 1 pruned." in linear.output
    assert "hint: model.lr goes from" in linear.output
    assert '"model.lr log" in --space' in linear.output
    log = run(*common, "--space", "model.lr=1e-6..1e-1 log,layers int", "--drop-failed")
    assert log.exit_code == 0, log.output
    assert "hint" not in log.output
    assert "layers 5" in log.output
    assert "e-6" in run("show", "x/y").output
    drawn = run("show", "x/y", "--out", "maps")
    assert drawn.exit_code == 0, drawn.output
    ran = CliRunner().invoke(
        cli, ["run", "-l", "x/y", "-o", "random", "--seeds", "2", "--budget", "5", "-j", "1", "--no-report"]
    )
    assert ran.exit_code == 0, ran.output


def test_a_landscape_that_is_not_there_is_said_before_a_package_is_missed(folder: Path) -> None:
    refused = run("export", "carps", "nope", "--out", folder / "tasks")
    assert isinstance(refused.exception, UnknownLandscapeError)
    assert "nope" in str(refused.exception)
    assert not (folder / "tasks").exists()
