"""Runs as COCO's tools read them."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import synthetic

import hpo_bench as hb
from hpo_bench.errors import UsageError
from landscapes.functions import bbob, suites


class Sphere:
    """In place of COCO's code, which may not be installed: it minimises in [-5, 5]^d."""

    def __call__(self, x: np.ndarray) -> float:
        return float(((x - 1.0) ** 2).sum()) - 80.0

    def best_value(self) -> float:
        return -80.0


def test_every_run_is_a_result_of_cocoviz(tmp_path: Path) -> None:
    both = ["ja-llama/ta", "ja-llama/ties"]
    result = hb.run_benchmark(["sobol", "random"], landscapes=both, seeds=2, budget=6, progress=False)
    folder = result.to_coco(tmp_path / "coco")
    assert [path.name for path in folder.iterdir()] == ["cocoviz"], "cocopp takes no landscapes"
    files = sorted(folder.glob("cocoviz/*/*.parquet"))
    assert len(files) == 8
    table = pq.read_table(folder / "cocoviz" / "Sobol" / "ja-llama_ties-1.parquet")
    about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    assert about["algorithm"] == "Sobol"
    assert json.loads(about["problem"]) == {
        "name": "ja-llama/ties", "instance": "1", "number_of_variables": 3, "number_of_objectives": 1,
    }  # fmt: skip
    run = result.runs.query("landscape == 'ja-llama/ties' and optimizer == 'sobol' and seed == 1")
    assert table["fevals"].to_pylist() == list(range(1, 7))
    assert table["regret"].to_pylist() == run["regret"].tolist()
    with pytest.raises(UsageError, match="is not empty"):
        result.to_coco(folder)


def test_two_landscapes_are_not_written_into_one_file(tmp_path: Path) -> None:
    plane = synthetic.card("smooth-a/ta").parameters
    for name in ("a/b_c", "a_b/c"):
        synthetic.record(tmp_path / "grids", name, method="ta", parameters=plane)
    result = hb.run_benchmark(["random"], landscapes_dir=tmp_path / "grids", seeds=1, budget=2, progress=False)
    with pytest.raises(UsageError, match="a/b_c and a_b/c would both be written as a_b_c"):
        result.to_coco(tmp_path / "coco")


def test_they_open_in_cocoviz(tmp_path: Path) -> None:
    cocoviz = pytest.importorskip("cocoviz")
    result = hb.run_benchmark(["sobol", "random"], landscapes="ja-llama/ta", seeds=2, budget=6, progress=False)
    files = sorted(result.to_coco(tmp_path / "coco").glob("cocoviz/*/*.parquet"))
    results = cocoviz.ResultSet([cocoviz.Result.from_parquet(path) for path in files])
    assert results.algorithms == {"Sobol", "Random"}
    regret = cocoviz.Indicator("regret", larger_is_better=False)
    assert set(cocoviz.runtime_profiles(results, regret)) == {"Sobol", "Random"}


def test_runs_on_cocos_functions_are_logs_of_cocopp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bbob, "_problem", lambda *_: Sphere())
    monkeypatch.setattr(suites, "FUNCTIONS", range(1, 2))
    plan = {"suites": "bbob-2d", "seeds": 2, "budget": 9, "progress": False}
    result = hb.run_benchmark(["sobol", "random"], **plan)
    folder = result.to_coco(tmp_path / "coco") / "cocopp" / "Random"
    info, _, ends = (folder / "bbobexp_f1_DIM2.info").read_text().splitlines()
    assert info.startswith("suite = 'bbob', funcId = 1, DIM = 2, Precision = 1.000e-08, algId = 'Random'")
    assert len(re.findall(r", 2027:9\|\d\.\de[+-]\d\d", ends)) == 2
    runs = (folder / "data_f1" / "bbobexp_f1_DIM2.tdat").read_text().split("% f evaluations")[1:]
    found = np.array([row.split() for row in runs[1].splitlines()[1:]], dtype=float)
    scores = Sphere()
    assert "Fopt (-8.000000000000e+01)" in runs[0]
    assert found[:, 0].tolist() == list(range(1, 10))
    assert found[:, 3] == pytest.approx([scores(x) for x in found[:, 5:]], abs=1e-2)
    assert found[:, 4] == pytest.approx(np.minimum.accumulate(found[:, 3]))
    assert found[:, 2] == pytest.approx(found[:, 4] + 80.0)
    improved = (folder / "data_f1" / "bbobexp_f1_DIM2.dat").read_text().split("% f evaluations")[2].splitlines()[1:]
    better = [row for row, before in zip(found, [np.inf, *found[:-1, 4]], strict=True) if row[4] < before]
    assert len(improved) == len(better) + (better[-1][0] < 9)
    assert not (hb.run_benchmark(["sobol"], **plan, noisy=True).to_coco(tmp_path / "noisy") / "cocopp").exists()


def test_they_open_in_cocopp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pproc = pytest.importorskip("cocopp.pproc")
    monkeypatch.setattr(bbob, "_problem", lambda *_: Sphere())
    monkeypatch.setattr(suites, "FUNCTIONS", range(1, 2))
    result = hb.run_benchmark(["random"], suites="bbob-2d", seeds=2, budget=9, progress=False)
    (data,) = pproc.DataSetList([str(result.to_coco(tmp_path / "coco") / "cocopp" / "Random")])
    assert (data.funcId, data.dim, data.nbRuns(), data.mMaxEvals()) == (1, 2, 2, 9)
    assert data.consistency_check()
