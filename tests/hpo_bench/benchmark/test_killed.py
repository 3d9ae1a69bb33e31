"""`hpo-bench run`, killed by SIGKILL at every kind of moment: given again it goes on, and all is as if never killed."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from rich.console import Console

from hpo_bench import files
from hpo_bench.benchmark import outcome, pipeline, result, runner, store
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.figures.registry import FIGURES
from hpo_bench.benchmark.outcome import BenchmarkResult
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.display.page.report import ReportPage
from hpo_bench.workers import Local
from landscapes import catalogue

NAMES = ("random", "sobol", "gp-bo")


def execute(plan: Plan, folder: Path, *, report: bool = False) -> BenchmarkResult:
    return pipeline.execute(plan, ResultsFolder(folder), workers=Local(1), report=report, progress=Console(quiet=True))


def content(folder: Path) -> pd.DataFrame:
    """Everything in the long table but the one column that is measured."""
    return pd.read_parquet(folder / "runs.parquet").drop(columns="ask_seconds")


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    root = tmp_path_factory.mktemp("killed")
    synthetic.record(root, "smooth-a/ta")
    plan = Plan(tuple(Contender.find(name) for name in NAMES), tuple(catalogue.load_all(root=root)), 2, 6)
    for landscape in plan.landscapes:
        _ = landscape.optimum, landscape.minimum, landscape.regret_sample  # Once, and not in every child.
    return plan


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "results"
    execute(plan, folder)
    return folder


def dies(act: Callable[[], object]) -> None:
    """Do it in a child, which must be killed by it."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kill(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: object, name: str, call: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Kills on the way into a function, at a call of it."""

    def arm(patch: pytest.MonkeyPatch) -> None:
        real, calls = getattr(owner, name), []

        def wrapped(*arguments: object, **options: object) -> object:
            calls.append(1)
            return kill() if len(calls) == call else real(*arguments, **options)

        patch.setattr(owner, name, wrapped)

    return arm


MOMENTS = {
    "before anything is written": (before(files, "uuid4", 1), 0),
    "with the marker half written": (before(store.Path, "replace", 1), 0),
    "in the middle of the first group": (before(runner, "_count", 3), 0),
    "with the first group half written": (before(store.Path, "replace", 2), 0),
    "in the middle of the second group": (before(runner, "_count", 9), 2),
    "with the last group half written": (before(store.Path, "replace", 4), 4),
    "before the tables": (before(result, "stored_runs", 1), 6),
    "with the long table half written": (before(store.Path, "replace", 5), 6),
    "before the summary": (before(outcome, "write_json", 1), 6),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_it_goes_on_from_what_is_stored(plan, whole, tmp_path, monkeypatch, moment):
    arm, stored = MOMENTS[moment]
    folder = tmp_path / "results"
    with monkeypatch.context() as patch:
        arm(patch)
        dies(lambda: execute(plan, folder))
    assert len(ResultsFolder(folder).keys()) == stored
    assert not (folder / "summary.json").exists()
    result = execute(plan, folder)
    assert (result.made, result.reused) == (6 - stored, stored)
    pd.testing.assert_frame_equal(content(folder), content(whole), check_exact=True)
    found, expected = (json.loads((path / "summary.json").read_text()) for path in (folder, whole))
    assert found["landscapes"] == expected["landscapes"]
    assert found["comparisons"] == expected["comparisons"]


def test_killed_among_the_figures_it_draws_them_all(plan, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("hpo_bench.benchmark.page.FIGURES", {"ror": FIGURES["ror"]})
    monkeypatch.setattr("hpo_bench.benchmark.page.section", lambda *_, **__: None)
    folder = tmp_path / "results"
    with monkeypatch.context() as patch:
        before(ReportPage, "text", 1)(patch)
        dies(lambda: execute(plan, folder, report=True))
    assert not (folder / "index.html").exists()
    drawn = {path: path.stat().st_mtime_ns for path in folder.glob("figures/*.svg")}
    next(iter(drawn)).unlink()
    result = execute(plan, folder, report=True)
    assert result.made == 0
    assert (folder / "index.html").exists()
    assert set(result.summary["files"]) >= {path.relative_to(folder).as_posix() for path in drawn}
