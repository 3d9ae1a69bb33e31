"""What figures say in words is what was measured, however it is drawn."""

import json

import pytest
import synthetic
from rich.console import Console

from hpo_bench.benchmark import pipeline
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.figures import groups, ranks, ror
from hpo_bench.benchmark.plan import Plan
from hpo_bench.benchmark.result import Benchmark
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.workers import Local
from landscapes import catalogue


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    for name in ("smooth-a/ta", "smooth-b/ta"):
        synthetic.record(folder / "grids", name)
    contenders = tuple(Contender.find(name) for name in ("sobol", "grid", "random"))
    plan = Plan(contenders, tuple(catalogue.load_all(root=folder / "grids")), 2, 12)
    return pipeline.execute(
        plan, ResultsFolder(folder / "results"), workers=Local(1), report=False, progress=Console(quiet=True)
    ).benchmark


def told(figure):
    """All that stands under the pointer."""
    found = [artist.get_gid() for axis in figure.axes for artist in axis.get_children()]
    return [words for gid in found if gid for words in json.loads(gid)["words"]]


def test_what_is_drawn_at_the_edge_is_not_said_to_lie_there(benchmark):
    runs = benchmark.runs.copy()
    runs.loc[runs["optimizer"] == "sobol", "regret"] *= 1e-6
    small = Benchmark(benchmark.plan, runs)
    said = told(ror.draw(small))
    assert "Sobol, t = 10: median <0.01, quartiles <0.01 and <0.01" in said
    assert any(one.endswith("TA: median <0.01") for one in told(groups.draw(small)))
    assert "Sobol <0.01" in ror.describe(small)


def test_equals_share_the_mean_of_their_ranks_on_the_map(benchmark):
    runs = benchmark.runs.copy()
    regret = runs.set_index(["landscape", "optimizer", "seed", "t"])["regret"]
    runs.loc[runs["optimizer"] == "grid", "regret"] = regret.xs("sobol", level="optimizer").to_numpy()
    for rounding in (1.0, 1.0 + 1e-15):
        runs.loc[runs["optimizer"] == "grid", "regret"] *= rounding
        tied = Benchmark(benchmark.plan, runs)
        numbers = [text.get_text() for text in ranks.draw(tied).axes[0].texts]
        assert numbers.count("1.5") + numbers.count("2.5") == 4, "of two on both landscapes"
