"""What `summary.json` says of some landscapes is what a benchmark of these alone would say."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import synthetic
from rich.console import Console

from hpo_bench.analyses import transfer
from hpo_bench.benchmark import pipeline
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.outcome import publish
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.benchmark.summary import random_budget, summary
from hpo_bench.benchmark.tables import headline, sound
from hpo_bench.workers import Local
from landscapes import catalogue
from landscapes.landscape import Landscape

WEAK = ("rugged-b/ta",)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("summary")
    for place, name in enumerate(("smooth-a/ta", "rugged-b/ta", "rugged-c/dare")):
        synthetic.record(folder / "grids", name, kind=name.partition("-")[0], seed=place)
    contenders = tuple(Contender.find(name) for name in ("random", "sobol", "grid"))
    plan = Plan(contenders, tuple(catalogue.load_all(root=folder / "grids")), 2, 12)
    pipeline.execute(
        plan, ResultsFolder(folder / "results"), workers=Local(1), report=False, progress=Console(quiet=True)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Landscape, "weaknesses", property(lambda self: ("made up",) * (self.name in WEAK)))
        yield Benchmark(plan, pd.read_parquet(folder / "results" / "runs.parquet"))


def test_every_figure_without_weak_landscapes_is_that_of_the_others_alone(benchmark):
    """No column of one table may be filled from another's landscapes."""
    kept = tuple(one for one in benchmark.landscapes if one.name not in WEAK)
    runs = benchmark.runs[~benchmark.runs["landscape"].isin(WEAK)].reset_index(drop=True)
    alone = Benchmark(replace(benchmark.plan, landscapes=kept), runs)
    whole = summary(benchmark)
    shown, of_these = sound(whole), headline(summary(alone))
    assert shown.columns == of_these.columns
    assert {row.head: row.cells for row in shown.rows[:-1]} == {row.head: row.cells for row in of_these.rows[:-1]}
    everything = {row.head: row.cells for row in headline(whole).rows}
    budget = shown.columns.index("random budget") - 1
    assert any(row.cells[budget] != everything[row.head][budget] for row in shown.rows[:-1])


def test_what_was_real_is_of_the_landscapes_that_losses_are_of(benchmark, tmp_path):
    followed = benchmark.landscapes[0]
    moved = {followed.name: transfer.follow(followed, benchmark.runs)}
    report = SimpleNamespace(study=SimpleNamespace(transfer=moved), write=lambda _: {})
    folder = ResultsFolder(tmp_path / "results")
    folder.open()
    found = publish(benchmark, {**summary(benchmark), "seeds": 2}, folder, report=report)
    assert found["unseen"]["landscapes"] == 1
    assert found["real"]["settings"] == len(followed.grid) < sum(len(one.grid) for one in benchmark.landscapes)


@pytest.mark.parametrize("noisy", [False, True])
def test_random_reaches_what_as_many_random_draws_do(tmp_path, noisy):
    """Under noise of which the best is hard to tell; the mean of 200 runs is within a tenth of what is expected."""
    synthetic.record(tmp_path / "grids", "smooth-a/ta", n_examples={"validation": {"skill": 24}})
    plan = Plan((Contender.find("random"),), tuple(catalogue.load_all(root=tmp_path / "grids")), 200, 20, noisy=noisy)
    place = ResultsFolder(tmp_path / "results")
    made = pipeline.execute(plan, place, workers=Local(1), report=False, progress=Console(quiet=True))
    budget = made.summary["optimizers"]["random"]["equivalent_random_budget_all"]
    assert 0.7 < budget["median_multiple"] < 1.4


def test_a_random_budget_that_nobody_can_tell_is_not_halved_with_one_that_is_known():
    budgets = np.array([40, 40])
    assert random_budget(np.array([40.0, 1e4]), budgets, 1e4) == {
        "median": 5020.0, "median_multiple": 125.5, "at_least": True, "most": 1e4,
    }  # fmt: skip
    assert not random_budget(np.array([20.0, 40.0, 1e4]), np.array([40, 40, 40]), 1e4)["at_least"]
    # Beyond the most draws on the landscape with the larger budget, which is the smallest multiple that was found.
    assert random_budget(np.array([8e3, 9e3, 1e4]), np.array([40, 40, 60]), 1e4)["at_least"]
