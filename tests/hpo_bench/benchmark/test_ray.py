"""One real Ray cluster on this machine."""

import pandas as pd
import pytest
import synthetic
from rich.console import Console

from hpo_bench.benchmark import pipeline, plan
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.workers import Local, RayCluster
from landscapes import catalogue

pytest.importorskip("ray")

MORTAL = """
import os
from pathlib import Path
from optimizers import Optimizer

class Mortal(Optimizer):
    name, label = "mortal", "Mortal"

    def _next(self):
        mark = Path(%r)
        if self.asked == 3 and not mark.exists():
            mark.touch()
            os._exit(9)
        return [self.asked / self.budget] * self.dim
"""


def test_ray_gives_what_this_process_gives_and_survives_a_dead_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "GROUP", 2)
    (tmp_path / "mortal_on_ray.py").write_text(MORTAL % str(tmp_path / "died"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    synthetic.record(tmp_path / "grids", "smooth-a/ta")
    contenders = tuple(Contender.find(name) for name in ("pattern-search", "mortal_on_ray:Mortal"))
    wanted = Plan(contenders, tuple(catalogue.load_all(root=tmp_path / "grids")), 3, 8)
    tables = []
    for name, workers in (("ray", RayCluster(2)), ("here", Local(1))):
        folder = ResultsFolder(tmp_path / name)
        pipeline.execute(wanted, folder, workers=workers, report=False, progress=Console(quiet=True))
        tables.append(pd.read_parquet(folder.path / "runs.parquet").drop(columns="ask_seconds"))
    assert (tmp_path / "died").exists()
    pd.testing.assert_frame_equal(*tables, check_exact=True)
