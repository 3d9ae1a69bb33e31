"""What larger models gain by injection: measured on a small benchmark, kept, and told apart from luck."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import ResultsError
from hpo_bench.evaluation.asking.prompts import Prompts
from hpo_bench.evaluation.exact_match import ExactMatch
from hpo_bench.evaluation.examples import Example, of_split, write_examples
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.experiments import scale
from hpo_bench.merging.engine.mergekit import merge
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.statistics.examples import error_of_difference


@pytest.fixture(scope="module")
def small(shipped: Pair, questions: tuple[Example, ...], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = Path(shutil.copytree(shipped.folder, tmp_path_factory.mktemp("pairs") / "ja-llama"))
    write_examples(questions[:60], folder / shipped.examples.name)
    return Pair.read(folder)


@pytest.fixture(scope="module")
def rung(small: Pair) -> scale.Rung:
    return scale.measure(small)


def test_gains_are_paired_differences_on_the_test_split(small: Pair, rung: scale.Rung) -> None:
    loaded = LoadedPair.load(small)
    test = of_split(read_examples(small.examples), "test")
    evaluator = ExactMatch(Prompts(loaded.processor))
    vlm = evaluator.evaluate(loaded.vlm, test).scores
    assert rung.vlm == vlm.mean()
    assert rung.n_examples == len(test)
    for gain in rung.gains:
        loaded.write_language(merge(loaded, MergeSetting("ta", gain.vl_weight, gain.exp_weight), mask_seed=0))
        change = evaluator.evaluate(loaded.vlm, test).scores - vlm
        assert gain.gain == pytest.approx(change.mean())
        assert gain.standard_error == error_of_difference(change)


def test_nan_takes_no_tuning_and_ta_a_setting_of_the_grid(rung: scale.Rung) -> None:
    nan, ta = rung.gains
    assert nan.vl_weight + nan.exp_weight == pytest.approx(1)
    assert {ta.vl_weight, ta.exp_weight} <= {0.2, 0.4, 0.6, 0.8, 1.0}
    assert 0.7e6 < rung.parameters < 1e6


def test_what_was_measured_of_the_same_weights_is_kept(
    small: Pair, rung: scale.Rung, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "measure", lambda *_, **__: rung)
    assert scale.climb([small], tmp_path) == [rung]
    monkeypatch.setattr(scale, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert scale.climb([small], tmp_path) == [rung]
    (tmp_path / "ja-llama.json").write_text("{}")
    with pytest.raises(ResultsError, match="delete it to measure again"):
        scale.climb([small], tmp_path)


def test_other_weights_are_measured_anew(
    small: Pair, rung: scale.Rung, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "measure", lambda *_, **__: rung)
    scale.climb([small], tmp_path)
    path = tmp_path / "ja-llama.json"
    stored = json.loads(path.read_text())
    stored["checkpoints"]["vlm"] = {}
    stored["rung"]["vlm"] = -1.0
    path.write_text(json.dumps(stored))
    assert scale.climb([small], tmp_path) == [rung]


def test_the_command_prints_what_is_built(
    small: Pair, rung: scale.Rung, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "measure", lambda *_, **__: rung)
    done = CliRunner().invoke(
        cli, ["scale", "--pairs", str(small.folder.parent), "--out", str(tmp_path)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert f"| ja-llama | {rung.parameters / 1e6:.1f}M |" in done.stdout
    assert "The study gained" in done.stdout
    assert "ja-llama-3m" in done.stderr
    assert (tmp_path / "scale.md").read_text() == done.stdout
