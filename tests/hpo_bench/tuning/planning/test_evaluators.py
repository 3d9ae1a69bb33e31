"""Which evaluator a plan recommends, and by what."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import EvaluationError
from hpo_bench.evaluation.serving import process
from hpo_bench.evaluation.serving.process import PYTHON
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.tuning.planning import evaluators
from hpo_bench.tuning.planning.evaluators import EvaluatorSeconds, generates, recommendation, time_evaluators

FAKE = Path(__file__).parents[2] / "evaluation" / "serving" / "fake_engine.py"


def pair(**evaluation: Any) -> Pair:
    return replace(find_pair("ja-llama"), evaluation=evaluation)


def test_one_pass_needs_no_engine() -> None:
    assert not generates(pair())
    assert not generates(pair(kind="command", command=["true"]))
    assert "one pass without decoding" in recommendation(pair(), [], examples=163)
    assert "a way of its own" in recommendation(pair(kind="command", command=["true"]), [], examples=163)
    assert generates(pair(metric="contains"))
    assert generates(pair(kind="vllm"))
    assert "`hpo-bench doctor --time-evaluators` and" in recommendation(pair(kind="vllm"), [], examples=0)


def test_each_evaluator_that_is_here_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Slow:
        def __init__(self, options: dict[str, Any]) -> None:
            asked.append(options)

        def examples(self, _: str) -> list[Any]:
            return list(find_examples())

        def evaluate(self, _: Any, some: list[Any]) -> None:
            asked[-1]["answered"] = len(some)

    def find_examples() -> Any:
        from hpo_bench.evaluation.registry import read_own

        return read_own(find_pair("ja-llama")).examples[:30]

    monkeypatch.setattr(evaluators, "open_evaluator", lambda pair, _: Slow(dict(pair.evaluation)))
    loaded: Any = type("Loaded", (), {"vlm": None})
    both = time_evaluators(pair(kind="vllm", max_new_tokens=4, python="p", eager=True), loaded)
    assert {one.kind for one in both} == {"vllm", "local"}
    local = next(options for options in asked if options["kind"] == "local")
    assert local == {"kind": "local", "generate": True, "max_new_tokens": 4, "answered": 16}


@pytest.fixture
def small(small_pair: Pair) -> Path:
    """A pair whose answers are decoded."""
    with (small_pair.folder / "pair.yaml").open("a", encoding="utf-8") as file:
        file.write("evaluation: {metric: contains, max_new_tokens: 2}\n")
    return small_pair.folder


def test_doctor_times_them_on_request(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON, sys.executable)
    monkeypatch.setattr(process, "SERVER", FAKE)
    monkeypatch.setattr(process, "PACKAGE", "numpy")
    result = CliRunner().invoke(cli, ["doctor", str(small), "--time-evaluators", "--json"])
    assert result.exit_code == 0, result.output
    both = json.loads(result.stdout)["evaluators"]
    assert {one["kind"] for one in both} == {"vllm", "local"}
    assert all(one["per_example"] > 0 for one in both)


def test_what_cannot_be_opened_is_left_out_unless_it_is_what_the_pair_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(pair: Pair, _: LoadedPair, kind: str) -> EvaluatorSeconds:
        if kind == "vllm":
            raise EvaluationError("no engine")
        return EvaluatorSeconds(kind, 0.5, 2.0)

    monkeypatch.setattr(evaluators, "_timed", timed)
    loaded: Any = None
    told: list[str] = []
    alone = time_evaluators(pair(metric="contains"), loaded, left_out=told.append)
    assert told == ["evaluator vllm is not timed: no engine"]
    assert [one.kind for one in alone] == ["local"]
    assert "local 50 s (opening 2 s)" in recommendation(pair(metric="contains"), alone, examples=100)
    with pytest.raises(EvaluationError, match="no engine"):
        time_evaluators(pair(kind="vllm"), loaded)
    both = [EvaluatorSeconds("vllm", 0.1, 30.0), *alone]
    assert "`kind: vllm` is the fastest" in recommendation(pair(metric="contains"), both, examples=100)
