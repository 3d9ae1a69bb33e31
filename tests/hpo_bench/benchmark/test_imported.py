"""A report on a sweep that a user brought, of which most of the study's analyses say nothing. Numbers are SYNTHETIC."""

from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from hpo_bench.benchmark import pipeline
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.runs import read_runs
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.workers import Local
from landscapes.importing import Reading, import_table
from landscapes.landscape import Landscape


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
