import linecache
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import synthetic
from rich.console import Console

import optimizers
from hpo_bench.benchmark import pipeline, plan
from hpo_bench.benchmark.contender import Contender
from hpo_bench.benchmark.plan import Chunk, Plan
from hpo_bench.benchmark.runner import advance
from hpo_bench.benchmark.store import ResultsFolder
from hpo_bench.errors import HpoBenchError, UsageError
from hpo_bench.workers import Local
from landscapes import catalogue
from landscapes.functions import Function, suite, suites
from optimizers import Optimizer

BROKEN = """
from optimizers import Optimizer

class Broken(Optimizer):
    name, label = "broken", "Broken"

    @classmethod
    def _propose(cls, optimizers):
        return [[0.5] * o.dim if o.asked < 3 else 1 / 0 for o in optimizers]
"""
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
        return [self.seed % 97 / 97, self.asked / self.budget]
"""
KEYS = ["landscape", "optimizer", "seed", "t"]


@pytest.fixture
def root(tmp_path):
    synthetic.record(tmp_path / "grids", "smooth-a/ta")
    synthetic.record(tmp_path / "grids", "rugged-b/ta", kind="rugged", seed=3)
    return tmp_path / "grids"


def make(root, *names, seeds=3, budget=8):
    contenders = tuple(Contender.find(name) for name in names)
    return Plan(contenders, tuple(catalogue.load_all(root=root)), seeds, budget)


def execute(benchmark_plan, path, **options):
    options = {"workers": Local(1), "report": False, "progress": Console(quiet=True), **options}
    return pipeline.execute(benchmark_plan, ResultsFolder(path), **options)


def content(path):
    """Everything in the long table but the one column that is measured."""
    return pd.read_parquet(path / "runs.parquet").drop(columns="ask_seconds")


def test_every_run_is_what_the_optimizer_does_alone(root):
    benchmark_plan = make(root, "pattern-search", seeds=2, budget=30)
    (chunk,) = benchmark_plan.chunks()
    landscapes = {landscape.name: landscape for landscape in benchmark_plan.landscapes}
    table = advance(chunk, landscapes).to_pandas()
    for run in chunk.runs:
        landscape = landscapes[run.landscape]
        alone = benchmark_plan.contenders[0].kind(2, seed=run.generator_seed, budget=30)
        mine = table[table["key"] == run.key]
        for _, row in mine.iterrows():
            x = alone.ask()
            native = landscape.space.from_unit(x[None])
            assert row[["vl_weight", "exp_weight"]].tolist() == pytest.approx(native[0].tolist(), abs=1e-9)
            alone.tell(x, float(row["score"]))
            assert row["score"] == pytest.approx(landscape.score(native)[0], abs=1e-9)
        events = [event for event in alone.restarts if event.evaluation < 30]
        assert mine["restart"].iloc[-1] == len(events)
        assert mine["restart_reason"].dropna().tolist() == [event.reason for event in events]
        assert mine.loc[mine["restart_reason"].notna(), "t"].tolist() == [event.evaluation + 1 for event in events]


def test_nothing_is_run_twice(root, tmp_path):
    first = execute(make(root, "random", "sobol"), tmp_path / "results")
    assert (first.made, first.reused) == (12, 0)
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*") if path.is_file()}
    second = execute(make(root, "random", "sobol"), tmp_path / "results")
    assert (second.made, second.reused) == (0, 12)
    assert second.summary == first.summary
    assert {path: path.stat().st_mtime_ns for path in parts} == parts

    more = execute(make(root, "random", "sobol", seeds=5), tmp_path / "results")
    assert (more.made, more.reused) == (8, 12)
    execute(make(root, "random", "sobol", seeds=5), tmp_path / "fresh")
    pd.testing.assert_frame_equal(content(tmp_path / "results"), content(tmp_path / "fresh"), check_exact=True)


@pytest.mark.parametrize("what", ["recording", "budget", "version", "settings"])
def test_what_changes_a_run_changes_its_key(root, what, monkeypatch):
    before = {run.key for run in make(root, "gp-bo").runs()}
    budget = 8
    if what == "recording":
        for name, kind in (("smooth-a/ta", "smooth"), ("rugged-b/ta", "rugged")):
            synthetic.record(root, name, kind=kind, seed=11)
    elif what == "budget":
        budget = 9
    else:
        changed = 99 if what == "version" else property(lambda self: {"initial": 99})
        monkeypatch.setattr(Contender.find("gp-bo").kind, what, changed)
    assert not before & {run.key for run in make(root, "gp-bo", budget=budget).runs()}


def test_what_does_not_change_a_run_does_not_change_its_key(root):
    before = {run.key for run in make(root, "random").runs()}
    for name, kind, seed in (("smooth-a/ta", "smooth", 0), ("rugged-b/ta", "rugged", 3)):
        synthetic.record(root, name, kind=kind, seed=seed, notes="Other words.", date="2026-01-01")
    assert before == {run.key for run in make(root, "sobol", "random", seeds=4).runs() if run.seed < 3} & before


def test_groups_follow_from_the_plan_and_not_from_what_is_done(root, monkeypatch):
    monkeypatch.setattr(plan, "GROUP", 4)
    benchmark_plan = make(root, "random", seeds=5)
    chunks = benchmark_plan.chunks()
    assert [len(chunk.runs) for chunk in chunks] == [4, 4, 2]
    done = {run.key for run in chunks[1].runs}
    assert set(benchmark_plan.chunks(done)) == set(chunks) - {chunks[1]}


def test_luck_is_independent_between_landscapes_and_shared_by_optimizers(root):
    runs = list(make(root, "random", "sobol", seeds=10).runs())
    assert len({(run.landscape, run.generator_seed) for run in runs}) == 20
    assert len({run.generator_seed for run in runs}) == 20


def test_two_workers_give_what_one_gives(root, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "GROUP", 4)
    execute(make(root, "random", "powell"), tmp_path / "one", workers=Local(1))
    execute(make(root, "random", "powell"), tmp_path / "two", workers=Local(2))
    pd.testing.assert_frame_equal(content(tmp_path / "one"), content(tmp_path / "two"), check_exact=True)


def test_an_optimizer_that_fails_is_named_and_costs_no_other(root, tmp_path, monkeypatch):
    (tmp_path / "faulty.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    faulty = make(root, "random", "faulty:Broken")
    with pytest.raises(HpoBenchError, match=r"faulty:Broken failed on .*ZeroDivisionError.*finished runs are stored"):
        execute(faulty, tmp_path / "results")
    stored = ResultsFolder(tmp_path / "results").keys()
    assert stored == {run.key for run in faulty.runs() if run.optimizer == "random"}


def test_failed_evaluations_are_kept_as_such(root, monkeypatch):
    benchmark_plan = make(root, "random", seeds=1, budget=4)
    landscape = benchmark_plan.landscapes[0]
    monkeypatch.setattr(landscape, "score", lambda x: np.full(len(x), np.nan))
    (chunk,) = benchmark_plan.chunks()
    table = advance(chunk, {ls.name: ls for ls in benchmark_plan.landscapes}).to_pandas()
    assert table["score"].isna().sum() == 4


def test_a_worker_that_is_killed_costs_its_group_alone(root, tmp_path, monkeypatch):
    (tmp_path / "mortal.py").write_text(MORTAL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("HPO_BENCH_TEST_DEATH", str(tmp_path / "died"))
    execute(make(root, "mortal:Mortal", "random"), tmp_path / "results", workers=Local(2))
    assert (tmp_path / "died").exists()
    execute(make(root, "mortal:Mortal", "random"), tmp_path / "alone")
    pd.testing.assert_frame_equal(content(tmp_path / "results"), content(tmp_path / "alone"), check_exact=True)


def test_a_common_start_is_common_and_another_run(root):
    plans = [replace(make(root, name, seeds=2), start="center") for name in ("random", "pattern-search")]
    assert not {run.key for run in plans[0].runs()} & {run.key for run in make(root, "random", seeds=2).runs()}
    for one in plans:
        (chunk,) = one.chunks()
        table = advance(chunk, {landscape.name: landscape for landscape in one.landscapes}).to_pandas()
        where = table[["vl_weight", "exp_weight"]].to_numpy()
        assert where[table["t"] == 1] == pytest.approx(0.6)
        assert not np.isclose(where[table["t"] == 2], 0.6).all(axis=1).any()
    with pytest.raises(UsageError, match="start at own, center, design, experience, not at 'corner'"):
        replace(plans[0], start="corner")


def test_a_common_design_is_each_runs_own_and_the_one_that_gp_bo_has_anyway(root):
    def trace(name, start):
        one = replace(make(root, name, seeds=2, budget=10), start=start)
        table = pa.concat_tables(advance(chunk, {ls.name: ls for ls in one.landscapes}) for chunk in one.chunks())
        by_key = {run.key: (run.landscape, run.seed) for run in one.runs()}
        frame = table.to_pandas()
        return {by_key[key]: run[["vl_weight", "exp_weight"]].to_numpy() for key, run in frame.groupby("key")}

    designs = {name: trace(name, "design") for name in ("random", "pattern-search", "sobol")}
    own = trace("gp-bo", "own")
    for which, points in trace("gp-bo", "design").items():
        assert np.array_equal(points, own[which])
        for traces in designs.values():
            assert np.array_equal(traces[which][: plan.DESIGN], points[: plan.DESIGN])
            assert len(np.unique(traces[which], axis=0)) == 10
    assert len({points[0].tobytes() for points in own.values()}) == 4


def test_with_noise_the_regret_is_that_of_what_would_be_recommended(root, tmp_path):
    noisy = replace(make(root, "random", "gp-bo", seeds=2, budget=12), noisy=True)
    outcome = execute(noisy, tmp_path / "results")
    table = content(tmp_path / "results")
    by_name = {landscape.name: landscape for landscape in noisy.landscapes}
    random = table[table["optimizer"] == "random"]
    for (name, _), run in random.groupby(["landscape", "seed"]):
        landscape = by_name[name]
        true = landscape.score(run[["vl_weight", "exp_weight"]].to_numpy())
        assert (run["score"].to_numpy() - true).std() == pytest.approx(landscape.noise, rel=0.8)
        best = [int(np.argmax(run["score"].to_numpy()[: t + 1])) for t in range(12)]
        assert run["best_so_far"].to_numpy() == pytest.approx(true[best])
    # All optimisers meet the same noise; regret may rise again.
    assert (random.groupby(["landscape", "seed"])["regret"].diff() > 0).any()
    assert outcome.summary["noisy"]


def test_functions_are_run_like_landscapes(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "suite", lambda name, seed: suite(name, seed, count=3))
    wanted = pipeline.plan(
        ["*-0[01]"], identities=["random", "sobol"], seeds=2, budget=12, surrogate=None, landscapes_dir=None,
        suites=["merge-like-2d"],
    )  # fmt: skip
    assert len(wanted.landscapes) == 2
    outcome = execute(wanted, tmp_path / "results", report=True, workers=Local(2))
    page = outcome.page.read_text(encoding="utf-8")
    assert "Functions" in page
    assert "2 test functions, no merges" in page
    assert "leave-one-out" not in page.lower()
    table = content(tmp_path / "results")
    assert (table["regret"] >= 0).all()
    sobol = table[table["optimizer"] == "sobol"]
    problem = {one.name: one for one in wanted.landscapes}[str(sobol["landscape"].iloc[0])]
    row = sobol.iloc[0]
    assert problem.score([[row["x1"], row["x2"]]])[0] == pytest.approx(row["score"])


def test_a_function_in_two_dimensions_is_one_function_to_statistics():
    def pair(suite_name, name):
        return Function(suite_name, name, 2, lambda X: X[:, 0], 1.0, 0.0).card.pair

    assert pair("bbob-2d", "bbob-2d/f3-i1") == pair("bbob-3d", "bbob-3d/f3-i1") != pair("bbob-3d", "bbob-3d/f4-i1")
    assert pair("merge-like-2d", "merge-like-2d/s0-01") != pair("merge-like-3d", "merge-like-3d/s0-01")


def test_a_plugin_is_run_again_when_it_is_edited_or_released(root, tmp_path, monkeypatch):
    """By name it is found through its package, so neither an edit nor a new release may reuse old runs."""
    (module := tmp_path / "plugged_in.py").write_text(
        "from optimizers.random_search import RandomSearch\n"
        "class Plugged(RandomSearch):\n"
        "    name, label = 'plugged', 'Plugged'\n"
    )
    (about := tmp_path / "plugged_in-1.0.dist-info").mkdir()
    (about / "entry_points.txt").write_text("[hpo_bench.optimizers]\nplugged = plugged_in:Plugged\n")
    monkeypatch.syspath_prepend(tmp_path)

    def keys(*, release, edit=""):
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugged-in\nVersion: {release}\n")
        module.write_text(module.read_text() + edit)
        linecache.checkcache()
        return {run.key for run in make(root, "plugged").runs()}

    try:
        first = keys(release="1.0")
        assert keys(release="1.0") == first
        second = keys(release="1.1")
        third = keys(release="1.1", edit="# now with more luck\n")
        assert first.isdisjoint(second)
        assert second.isdisjoint(third)
    finally:
        sys.modules.pop("plugged_in", None)
    assert Contender.find("random").source is None


def test_two_optimizers_with_one_label_are_refused(root):
    class Twin(Optimizer):
        name, label = "twin", "Random"

    with pytest.raises(UsageError, match="random and twin are both labelled 'Random'"):
        Plan((Contender.find("random"), Contender("twin", Twin)), tuple(catalogue.load_all(root=root)), 1, 5)


@pytest.mark.parametrize("name", sorted(optimizers.available()))
def test_traces_do_not_depend_on_company(root, name):
    together = make(root, name, seeds=4, budget=14)
    (chunk,) = together.chunks()
    landscapes = {landscape.name: landscape for landscape in together.landscapes}
    table = advance(chunk, landscapes).to_pandas()
    for run in chunk.runs[::3]:
        alone = advance(Chunk(name, 2, (run,)), {run.landscape: landscapes[run.landscape]}).to_pandas()
        mine = table[table["key"] == run.key].reset_index(drop=True)
        columns = ["vl_weight", "exp_weight", "score", "restart"]
        pd.testing.assert_frame_equal(alone[columns], mine[columns], check_exact=True)
