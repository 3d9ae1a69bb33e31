"""What a GPU is to be asked in minutes runs small on a CPU: no figure here is one of a device."""

import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.evaluation.serving import process
from hpo_bench.evaluation.serving.process import PYTHON
from hpo_bench.experiments.cost import gpu_check
from hpo_bench.experiments.cost.gpu_check import check

FAKE = Path(__file__).parents[2] / "evaluation" / "serving" / "fake_engine.py"


def checked() -> dict[str, list[str]]:
    """Cells of the check's rows by their heads."""
    result = CliRunner().invoke(cli, ["speed", "--gpu-check", "--seconds", "0.01"])
    assert result.exit_code == 0, result.output
    lines = [re.split(r"(?<!\\\\)\|", line) for line in result.stdout.splitlines() if line.startswith("|")]
    return {head.strip(): [cell.strip() for cell in cells] for _, head, *cells, _ in lines}


@pytest.mark.parametrize(
    "python", [sys.executable, pytest.param("", marks=pytest.mark.skipif(PYTHON not in os.environ, reason="no vLLM"))]
)
def test_every_part_is_timed_and_told_in_markdown(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if python:
        monkeypatch.setattr(process, "SERVER", FAKE)
        monkeypatch.setattr(process, "PACKAGE", "numpy")
        monkeypatch.setenv(PYTHON, python)
    rows = checked()
    parts = {
        "three models drawn and written", "loaded, one after the other", "self-test of the re-merge",
        "a trial: re-merge", "a trial: answers", "re-merge, ta", "re-merge, dare", "re-merge, ties",
        "memory copy of the same bytes", "vLLM opened", "vLLM: handing a merge over, with its proof", "vLLM: answers",
    }  # fmt: skip
    assert parts < rows.keys()
    for part in parts:
        assert float(re.match(r"[\d.e+-]+", rows[part][0])[0]) > 0, part
    assert rows["peak memory"][0].endswith(("GB", "MB", "GiB", "MiB"))
    assert re.search(r"× copy [\d.]+; once [\d.e-]+", rows["re-merge, ties"][1])
    assert re.search(r"16 tokens each: \d+ tokens a second", rows["a trial: answers"][1])
    if not python:
        assert re.search(r"256 tokens: \d+ tokens a second", rows["vLLM: answers"][1])


def test_without_vllm_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr(process, "find_spec", lambda _: None)
    monkeypatch.setattr(gpu_check, "METHODS", ("ta",))
    rows = {row.head: row.cells for row in check("1M", "cpu", seconds=0.0, least=1, questions=1, tokens=2)}
    assert float(rows["memory copy of the same bytes"][0].split()[0]) > 0
    assert rows["vLLM"][0] == ""
    assert "HPO_BENCH_VLLM" in rows["vLLM"][1]


def test_other_shapes_are_refused() -> None:
    result = CliRunner().invoke(cli, ["speed", "--gpu-check", "--shape", "10M"])
    assert "takes the shapes 1M and 7B, not 10M" in str(result.exception)
