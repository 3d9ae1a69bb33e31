"""A report on a sweep that a user brought, of which most of the study's analyses say nothing. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from hpo_bench.benchmark import pipeline
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.figures import ror
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.runs import read_runs
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.workers import Local
from landscapes.importing import Reading, import_table
from landscapes.landscape import Landscape
from optimizers import Optimizer


def sweep(folder: Path, name: str, *parameters: str) -> Landscape:
    """Settings at random with one hill, of one split and no errors."""
    X, table = np.random.default_rng(0).random((20, len(parameters))), folder / "sweep.csv"
    pd.DataFrame(X, columns=list(parameters)).assign(acc=-((X - 0.4) ** 2).sum(1)).to_csv(table, index=False)
    reading = Reading(parameters=dict.fromkeys(parameters), metric="acc")
    return import_table(table, reading, name=name, root=folder / "own", command="hpo-bench landscapes add")


def test_a_report_on_sweeps_without_coefficients_and_test_split(tmp_path: Path) -> None:
    sweeps = sweep(tmp_path, "mine/one", "lr"), sweep(tmp_path, "mine/two", "lr", "density")
    plan = Plan((Contender.find("random"),), sweeps, 2, 4)
    result = pipeline.execute(
        plan, ResultsFolder(tmp_path / "results"), workers=Local(1), report=True, progress=Console(quiet=True)
    )
    assert result.page is not None
    page = result.page.read_text(encoding="utf-8")
    assert "Where the optimum lies, by landscape" in page
    assert "What restricting the sum of coefficients costs" not in page, "no setting has coefficients"
    assert "Validation against test" not in page, "no test split was recorded"
    assert "No landscape has test scores that make a surface over its whole box" in page
    assert "How hard landscapes are" in page
    assert "The same after 10 evaluations" not in page, "no run has more than four"


def test_hyperparameters_may_be_called_as_columns_of_runs_are(tmp_path: Path) -> None:
    """As SLERP's t is: neither overwrites the other, and settings are found again for the report."""
    landscape = sweep(tmp_path, "mine/slerp", "t", "seed", "method")
    plan = Plan((Contender.find("random"),), (landscape,), 2, 4)
    folder = ResultsFolder(tmp_path / "results")
    runs = pipeline.execute(plan, folder, workers=Local(1), report=True, progress=Console(quiet=True)).runs
    assert runs["t"].tolist() == [1, 2, 3, 4] * 2
    assert runs["seed"].tolist() == [0] * 4 + [1] * 4
    settings = runs[["hyperparameter t", "hyperparameter seed", "hyperparameter method"]].to_numpy()
    np.testing.assert_allclose(runs["score"], landscape.score(settings), atol=1e-12)
    pd.testing.assert_frame_equal(read_runs(folder.path / "runs.parquet", [landscape]), runs)


def test_a_report_where_random_search_has_no_regret_left(tmp_path: Path) -> None:
    """Of three settings that noise cannot confuse, none of the simulated random searches misses the best."""
    table = tmp_path / "sweep.csv"
    pd.DataFrame({"n": [1, 2, 3], "acc": [0.1, 0.5, 0.9], "se": 0.001}).to_csv(table, index=False)
    reading = Reading(parameters={"n": None}, kinds={"n": frozenset({"int"})}, metric="acc", error="se")
    landscape = import_table(table, reading, name="mine/three", root=tmp_path / "own", command="x")
    plan = Plan((Contender.find("grid"), Contender.find(Stuck)), (landscape,), 2, 40, noisy=True)
    result = pipeline.execute(
        plan, ResultsFolder(tmp_path / "results"), workers=Local(1), report=True, progress=Console(quiet=True)
    )
    ends = {name: one["at"]["end"] for name, one in result.summary["optimizers"].items()}
    assert ends["grid"]["median_ror_all"]["value"] == 1
    (stuck,) = (one for name, one in ends.items() if name != "grid")
    assert stuck["mean_regret"]["value"] == pytest.approx(0.5)
    assert stuck["median_ror_all"]["value"] is None
    assert result.page is not None
    assert "at the end Grid 1.00" in result.page.read_text(encoding="utf-8")
    assert "Stuck ∞" in ror.describe(result.benchmark)


class Stuck(Optimizer):
    """Never leaves the middle."""

    name, label = "stuck", "Stuck"

    def _next(self):
        return np.array([0.5])
