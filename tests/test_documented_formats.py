"""Columns and keys that the pages name are those that the code reads and writes."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import synthetic
import two_goals
from documents import ROOT, tables
from tuning_toys import config

import hpo_bench as hb
from hpo_bench.evaluation.command import CommandOptions
from hpo_bench.evaluation.judging import judge
from hpo_bench.evaluation.lmms.evaluator import LmmsOptions
from hpo_bench.evaluation.local import LocalOptions
from hpo_bench.evaluation.metrics import JUDGE, METRICS
from hpo_bench.evaluation.python_function import FunctionOptions
from hpo_bench.evaluation.reading.columns import ExampleOptions
from hpo_bench.evaluation.serving.evaluator import VllmOptions
from hpo_bench.experiments.readme import LEFT_OUT
from hpo_bench.merging.manifest import KEYS
from hpo_bench.merging.scope import MergeScope
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.goal import Goal
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.outcome.to_landscape import write_tables
from hpo_bench.tuning.storage.answers import write_answers
from hpo_bench.tuning.storage.store import TrialStore
from hpo_bench.tuning.trial import Answers, Job
from landscapes import grid, outcomes, vlm_answers
from landscapes.card import Card, CardParameter

FORMATS = tables((ROOT / "docs" / "formats.md").read_text("utf-8"))
EVALUATORS = tables((ROOT / "docs" / "evaluators.md").read_text("utf-8"))
ASKED = tables((ROOT / "docs" / "examples.md").read_text("utf-8").partition("## How they are asked")[2])
AXES = ["vl_weight", "exp_weight"]
EXAMPLES = tuple(field.name for field in fields(ExampleOptions))


def keys(record: type[Any], *, without: tuple[str, ...] = ()) -> list[str]:
    return [field.name for field in fields(record) if field.name not in without]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> hb.BenchmarkResult:
    root = tmp_path_factory.mktemp("grids")
    synthetic.record(root, "smooth-a/ta")
    return hb.run_benchmark(["random"], landscapes_dir=root, seeds=1, budget=3, progress=False)


def test_of_runs(result: hb.BenchmarkResult) -> None:
    assert [name for name in result.runs.columns if name not in AXES] == FORMATS["runs.parquet"]


def test_of_a_summary(result: hb.BenchmarkResult) -> None:
    assert set(FORMATS["summary.json"]) == {*result.summary, *LEFT_OUT}


def test_of_landscapes(tmp_path: Path) -> None:
    folder = synthetic.record(tmp_path, "smooth-a/ta")
    for file in (grid.FILE, outcomes.FILE):
        columns = [name for name in pd.read_parquet(folder / file).columns if name not in AXES]
        assert columns == [name for name in FORMATS[file] if name != "mask_seed"]
        assert "mask_seed" in FORMATS[file]
    synthetic.ask_vlm(folder)
    assert pd.read_parquet(folder / vlm_answers.FILE).columns.tolist() == FORMATS[vlm_answers.FILE]
    assert FORMATS["card.yaml"] == keys(Card, without=("path",))
    assert FORMATS["A parameter of the card:"] == keys(CardParameter)


def test_of_pairs() -> None:
    assert sorted(FORMATS["pair.yaml"]) == sorted(KEYS)
    assert FORMATS["The section `merge`:"] == keys(MergeScope)


@pytest.mark.parametrize(
    ("kind", "options", "beside"),
    [
        ("local", LocalOptions, EXAMPLES),
        ("vllm", VllmOptions, EXAMPLES),
        ("A judge", judge.JudgeOptions, ()),
        ("lmms-eval", LmmsOptions, ()),
        ("python", FunctionOptions, EXAMPLES),
        ("command", CommandOptions, EXAMPLES),
    ],
)
def test_of_evaluations(kind: str, options: type[Any], beside: tuple[str, ...]) -> None:
    """The page names all options, and no other; those on examples and answers stand together on pages of their own."""
    asked = {name for names in ASKED.values() for name in names} if kind in ("local", "vllm") else set()
    asked -= {"generate", "batch_size", "attention"} if kind == "vllm" else set()
    wanted = {*keys(options, without=beside)}
    told = {*EVALUATORS[kind], *asked} - {*beside}
    assert told == wanted


def test_of_metrics() -> None:
    assert set(EVALUATORS["Metrics"]) == {*METRICS, JUDGE}


def test_of_tables_of_trials(tmp_path: Path) -> None:
    store, setting = TrialStore(tmp_path, "s"), MergeSetting("ta", 0.5, 0.5)
    begun = store.begin(config(keep=two_goals.KEEP))
    goal = Goal(two_goals.KEEP, two_goals.answers(BASE))
    running = store.start(setting, asked_after=0, worker="w")
    store.finish(running, two_goals.success(Job("", setting)), told_as=0, goal=goal)
    assert list(hb.Study(store, begun).to_frame().columns) == FORMATS["study.to_frame()"]
    (path,) = write_tables(store).values()
    assert list(pd.read_csv(path).columns) == [*setting.parameters, *FORMATS["trials-METHOD.csv"]]


def test_of_studies(tmp_path: Path) -> None:
    answers = Answers(("a",), ("skill",), pd.Series([1.0]).to_numpy(), ("yes",))
    write_answers(tmp_path / "0000.parquet", answers)
    assert list(pd.read_parquet(tmp_path / "0000.parquet").columns) == FORMATS["trials/NNNN.parquet"]
    assert FORMATS["result.json"] == keys(TuningResult)
    assert FORMATS["origin.json"] == keys(Invocation)
