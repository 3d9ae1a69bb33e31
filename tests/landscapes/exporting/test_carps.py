"""Our landscapes as tasks of CARP-S."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from documents import titled

from hpo_bench.cli import tree
from landscapes import catalogue
from landscapes.errors import LandscapeError, MissingPackageError


def test_without_its_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "carps.utils.task", None)
    monkeypatch.delitem(sys.modules, "landscapes.exporting.carps", raising=False)
    with pytest.raises(MissingPackageError, match="pip install carps"):
        importlib.import_module("landscapes.exporting.carps")


def test_its_optimisers_run_on_a_landscape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("carps")
    monkeypatch.chdir(tmp_path)
    exec(titled("docs/own/elsewhere.md", "on_carps.py"), space := {})  # noqa: S102
    task, landscape = space["task"], catalogue.load("ja-llama/ta")
    assert task.optimization_resources.n_trials == 40
    assert task.metadata.dimensions == task.metadata.search_space_n_floats == 2
    assert task.objective_function.f_min == -landscape.optimum.score
    assert space["incumbent"][1].cost == pytest.approx(
        -landscape.score({name: [value] for name, value in dict(space["incumbent"][0].config).items()})[0]
    )


def test_its_own_command_runs_what_ours_writes(tmp_path: Path) -> None:
    pytest.importorskip("carps")
    assert tree.run(["landscapes", "export", "carps", "ja-llama", "--out", str(tmp_path / "tasks")]) == 0
    written = {file.stem for file in (tmp_path / "tasks").glob("task/hpo_bench/*.yaml")}
    assert written == {name.replace("/", "_") for name in catalogue.match(["ja-llama"])}
    words = [
        "+task/hpo_bench=ja-llama_ties",
        "+optimizer/randomsearch=config",
        "task.optimization_resources.n_trials=3",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "carps.run", "--config-dir", "tasks", *words],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len((next(tmp_path.rglob("trial_logs.jsonl"))).read_text().splitlines()) == 3


def test_two_landscapes_are_never_written_into_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("carps")
    carps = importlib.import_module("landscapes.exporting.carps")
    alike = [SimpleNamespace(name=name) for name in ("a_b/c", "other/c", "a/b_c")]
    monkeypatch.setattr(catalogue, "load_all", lambda *_, **__: alike)
    with pytest.raises(LandscapeError, match=r"^a_b/c and a/b_c would be one file"):
        carps.write_tasks(tmp_path)
    assert list(tmp_path.iterdir()) == []
