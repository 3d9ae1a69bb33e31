"""vLLM itself, where HPO_BENCH_VLLM names a Python that has it: handed over, cut apart, killed, and found out."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import backbones
import families
import killing
import psutil
import pytest
import torch
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.evaluation.serving.model import fingerprint_of
from hpo_bench.evaluation.serving.process import PYTHON
from hpo_bench.experiments.cost.serving import compare
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.find import find_pair
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning.study import Study

pytestmark = pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no Python with vLLM")
ONE, OTHER = MergeSetting("ta", 0.5, 0.5), MergeSetting("ta", 0.2, 1.0)
WIDE = {"hidden_size": 128, "head_dim": 32, "max_position_embeddings": 256}
"""The engine has no attention for narrower heads, and refuses prompts that are longer than a model says."""
SIGHT = {"llava": {}, "qwen2.5-vl": {"out_hidden_size": 128}}


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Builds a pair wide enough for the engine, that is asked a few questions."""

    def built(name: str) -> Path:
        shape = backbones.FAMILIES[name]
        seen: Any = {**dict(shape.vision), **SIGHT[name]} if SIGHT[name] else shape.vision
        rotary = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [6, 5, 5]}}
        wide = replace(shape, vision=seen, texts={**shape.texts, **WIDE}, inside=rotary if SIGHT[name] else {})
        monkeypatch.setitem(backbones.FAMILIES, name, wide)
        return families.build(tmp_path / "pair", name)

    return built


@pytest.fixture
def opened() -> Any:
    """Opens the evaluator on the shipped pair, with options."""
    made = []

    def make(**options: Any) -> tuple[Any, LoadedPair, Resident]:
        pair = replace(find_pair("ja-llama"), evaluation={"kind": "vllm", "max_new_tokens": 4, **options})
        loaded = LoadedPair.load(pair)
        made.append(open_evaluator(pair, loaded))
        return made[-1], loaded, Resident(loaded)

    yield make
    for one in made:
        one.served.end()


@pytest.mark.parametrize("name", SIGHT)
def test_handed_merges_it_answers_as_one_that_loads_their_exports(
    name: str, build: Callable[..., Path], tmp_path: Path
) -> None:
    found = list(compare(Pair.read(build(name)), [ONE, OTHER], max_new_tokens=4, work=tmp_path))
    assert [one.same for one in found] == [one.total for one in found]


def test_whose_cache_is_not_reset_it_gives_no_score(opened: Any) -> None:
    evaluator, loaded, resident = opened(engine={"block_size": 32})
    resident.merge(ONE)
    evaluator.served.follow(loaded.vlm)
    resident.merge(OTHER)
    with pytest.raises(EvaluationError, match="remembers"):
        evaluator.served.follow(loaded.vlm, reset=False)
    evaluator.served.follow(loaded.vlm)


def test_cut_in_two_it_answers_as_in_one_and_both_halves_are_proven(opened: Any) -> None:
    told = []
    for parts in (1, 2):
        evaluator, loaded, resident = opened(tensor_parallel=parts, dtype="float32")
        told.append([])
        for setting in (ONE, OTHER):
            resident.merge(setting)
            told[-1] += evaluator.evaluate(loaded.vlm, evaluator.examples("validation")[:16]).responses
        name, last = [one for one in loaded.vlm.named_parameters() if one[0].endswith("down_proj.weight")][-1]
        with torch.no_grad():
            last[:, last.shape[1] // 2 :] += 1  # what the second of two workers has
        served = evaluator.served
        served._handed = fingerprint_of(served._language(loaded.vlm))  # as if it had been handed over
        with pytest.raises(EvaluationError, match="down_proj is not that of this merge"):
            served.follow(loaded.vlm)
        served.end()
    assert told[0] == told[1], name
    assert len(set(told[0])) > 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has the mode")
def test_a_mode_that_a_cpu_does_not_have_is_refused(opened: Any) -> None:
    with pytest.raises(UsageError, match="`batch_invariant` is a mode of vLLM's on GPUs"):
        opened(batch_invariant=True)


def test_an_option_that_the_engine_does_not_have_is_refused(opened: Any) -> None:
    with pytest.raises(UsageError, match=r"says 'max_num_seq', of which vLLM .* did you mean 'max_num_seqs'"):
        opened(engine={"max_num_seq": 1})


def test_a_study_that_is_killed_goes_on_as_if_it_were_not(
    build: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build("llava")
    write_examples(families.examples(12), folder / "examples.parquet")
    with (folder / "pair.yaml").open("a", encoding="utf-8") as file:
        file.write("evaluation: {kind: vllm, max_new_tokens: 3}\n")
    monkeypatch.setenv("OF_STUDY", "")
    words = ["tune", str(folder), "--trials", "4", "-o", "sobol", "--studies", str(tmp_path / "studies")]

    def tune(study: str) -> Any:
        os.environ["OF_STUDY"] = str(tmp_path / study)
        return CliRunner().invoke(cli, [*words, "--study", study])

    def trace(study: str) -> list[tuple[object, ...]]:
        kept = Study.open(study, tmp_path / "studies")
        return [(one.setting, one.fingerprint, kept.store.answers(one.number).responses) for one in kept.trials]

    killing.run_killed(
        lambda: tune("killed").exception,
        "hpo_bench.tuning.storage.store.TrialStore.finish",
        lambda function: killing.after(function, calls=2),
        limit=600,  # an engine takes as long to open as others leave it of the machine
    )
    end = time.monotonic() + 20
    while (left := engines(str(tmp_path / "killed"))) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left, left
    before = trace("killed")
    assert len(before) == 2
    for study in ("killed", "whole"):
        result = tune(study)
        assert result.exit_code == 0, result.output
    assert trace("killed")[:2] == before
    assert trace("killed") == trace("whole")
    assert len({said for _, _, said in trace("whole")}) > 1


def engines(study: str) -> list[psutil.Process]:
    """Those that were started for a study."""
    return [
        one
        for one in psutil.process_iter(["cmdline", "environ"])
        if "serve_vllm" in " ".join(one.info["cmdline"] or ()) and (one.info["environ"] or {}).get("OF_STUDY") == study
    ]
