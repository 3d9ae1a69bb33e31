"""Every known family from the doctor to an export that is opened again: random weights (SYNTHETIC), real processors.

The truth is known: answers of a merge are the right ones, and the tuner must come back to it. In both layouts that
published checkpoints have, names as on the hub and names as in memory, tied and untied. `HPO_BENCH_ALL=1` takes every
family; what came of it stands in docs/families.md, which `python tests/families_page.py` writes.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import backbones
import families
import pytest
import torch
from click.testing import CliRunner
from documents import ROOT
from rich.console import Console
from transformers import AutoConfig, AutoModelForImageTextToText
from tuning_toys import in_this_process

from hpo_bench.cli import cli
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.hub_layout import hub_names
from hpo_bench.merging.checkpoints.skeleton import auto_class
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import load_processor
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.tuning import run as tuning
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.invocation import Invocation
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.outcome.result import TuningResult
from hpo_bench.tuning.study import Study

TRUTH = MergeSetting("ta", 0.6, 0.8)
NEAR = ("0.59,0.79",)
"""Where a search of few trials begins."""
UNTIED = ("mllama",)  # whose embeddings have more rows than its head
CASES = [
    ("qwen3-vl", True, "memory"),
    ("qwen3.5", False, "hub"),
    ("idefics2", True, "hub"),  # pads on the right
    ("mllama", False, "hub"),
    ("paligemma", True, "memory"),  # has no chat template
]
if os.environ.get("HPO_BENCH_ALL"):
    CASES = [
        (name, tied, "memory" if tied == bool(place % 2) else "hub")
        for place, name in enumerate(families.FAMILIES)
        for tied in (False, True)
        if not (tied and name in UNTIED)
    ]


def run(pair: Pair, studies: Path, trials: int, starts: tuple[str, ...] = ()) -> tuple[TuningResult, str]:
    """Tune in this process; what came of it, and what was shown."""
    console = Console(file=StringIO(), width=200)
    config = StudyConfig.of(pair, optimizer="sobol", starts=starts)
    options = RunOptions(trials=trials, study="s", studies=studies)
    invocation = Invocation(str(pair.folder), str(studies), ("hpo-bench", "tune", str(pair.folder)))
    result = tuning.run(pair, config, options, console=console, invocation=invocation, open_pool=in_this_process(pair))
    return result, console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def heard(pair: Pair, loaded: LoadedPair) -> tuple[list[torch.Tensor], dict[str, str]]:
    """All logits with which a model answers the validation questions, and the answers by id."""
    logits: list[torch.Tensor] = []
    handle = loaded.vlm.get_output_embeddings().register_forward_hook(lambda *parts: logits.append(parts[2].clone()))
    evaluator = open_evaluator(pair, loaded)
    outcome = evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
    handle.remove()
    return logits, dict(zip(outcome.ids, outcome.responses, strict=True))


@pytest.mark.parametrize(("name", "tied", "layout"), CASES)
def test_from_the_doctor_to_an_export_that_is_opened_again(
    name: str, tied: bool, layout: str, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    if missing := families.FAMILIES[name].missing:
        pytest.skip(f"needs {missing}")
    folder = families.build(tmp_path / "pair", name, tied=tied, layout=layout, dtype=torch.float32)
    result = CliRunner().invoke(cli, ["doctor", str(folder)])
    assert result.exit_code == 0, result.output
    assert "These can be merged." in result.output
    record_property("families", [name, tied, "doctor"])

    pair = Pair.read(families.with_truth(folder, name, TRUTH, count=20))
    loaded = LoadedPair.load(pair)
    evaluator, resident = open_evaluator(pair, loaded), Resident(loaded)
    resident.self_test()
    record_property("families", [name, tied, "self-test"])
    scores = []
    for setting in (TRUTH, MergeSetting("ta", 1.0, 0.0), MergeSetting("ta", 0.0, 0.0)):
        resident.merge(setting)
        scores.append(evaluator.evaluate(loaded.vlm, evaluator.examples("test")).score)
    assert scores[0] == 1.0
    assert max(scores[1:]) < 0.9
    result, _ = run(pair, tmp_path / "studies", 2, NEAR)
    assert result.merges[0].validation >= 0.9
    record_property("families", [name, tied, "tuned"])

    study, out = Study.open("s", tmp_path / "studies"), tmp_path / "out"
    made = study.export(out)
    assert made.same == made.total > 0, made.sentence
    record_property("families", [name, tied, "export"])

    # What the hub's users do with it: it answers as the live merge did, and tied weights are tied.
    kind = auto_class(AutoConfig.from_pretrained(out), sees=True)
    model: Any = kind.from_pretrained(out, dtype="auto", use_safetensors=True)
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (embeddings.data_ptr() == head.data_ptr()) == tied
    assert resident.merge(made.trial.setting) == made.trial.fingerprint
    # Weights as a file's bytes lie in memory may be added up in another order than those that torch has placed.
    for parameter in (*loaded.vlm.parameters(), *model.parameters()):
        parameter.data = parameter.data.clone()
    stored = study.store.answers(made.trial.number)
    (live, told), (again, retold) = (
        heard(pair, each) for each in (loaded, replace(loaded, vlm=model.eval(), processor=load_processor(out)))
    )
    said = dict(zip(stored.ids, stored.responses, strict=True))
    assert told == retold == {each: said[each] for each in told}
    state = loaded.vlm.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in model.state_dict().items())
    assert len(live) == len(again) > 0
    assert all(torch.equal(one, other) for one, other in zip(live, again, strict=True))
    hub = hub_names(Alignment.of(pair).models["vlm"])
    assert set(Checkpoint.open(out).tensors) == {hub[name] for name in Checkpoint.open(pair.vlm).tensors}
    record_property("families", [name, tied, "loads"])


def test_half_precision_a_stream_a_report_and_going_on(tmp_path: Path) -> None:
    folder = families.build(tmp_path / "pair", "llava", tied=True, layout="memory")
    write_examples(families.examples(20), folder / "examples.parquet")
    with (folder / "pair.yaml").open("a", encoding="utf-8") as file:
        file.write("merge: {dtype: stored}\nevaluation: {generate: true, max_new_tokens: 2}\n")
    pair, studies = Pair.read(folder), tmp_path / "studies"
    assert "base VLM" in run(pair, studies, 2)[1]
    study = Study.open("s", studies)
    made = study.export(tmp_path / "out")
    assert made.same == made.total > 0, made.sentence
    assert study.write_report().is_file()
    trials = study.store.trials()
    run(pair, studies, 3)
    more = Study.open("s", studies).store.trials()
    assert [trial.fingerprint for trial in more[:2]] == [trial.fingerprint for trial in trials]
    assert len(more) == 3

    given = ("-m", "ta", "--vl-weight", "0.6", "--exp-weight", "0.8", "--out", str(tmp_path / "merged"))
    result = CliRunner().invoke(cli, ["merge", str(folder), "--stream", *given])
    assert result.exit_code == 0, result.output
    one, other = (
        AutoModelForImageTextToText.from_pretrained(tmp_path / place, dtype="auto") for place in ("out", "merged")
    )
    assert not torch.equal(one.get_output_embeddings().weight, other.get_output_embeddings().weight)


def test_the_truth_by_teacher_forcing_is_found_from_nowhere(tmp_path: Path) -> None:
    folder = families.build(tmp_path / "pair", "llava-next")
    pair = Pair.read(families.with_truth(folder, "llava-next", TRUTH, forced=True))
    options = RunOptions(trials=30, studies=tmp_path / "tuning", study="truth")
    invocation = Invocation(str(folder), str(folder), ("hpo-bench",))
    result = tuning.run(
        pair, StudyConfig.of(pair), options, console=Console(file=StringIO()), invocation=invocation,
        open_pool=in_this_process(pair),
    )  # fmt: skip
    assert result.merges[0].validation >= 0.9


def test_the_page_has_every_family_and_no_failure() -> None:
    rows = re.findall(r"^\| \w+ \(([\w.-]+)\) \|.*?\|(.*)\|$", (ROOT / "docs" / "families.md").read_text("utf-8"), re.M)
    assert [name for name, _ in rows] == list(backbones.FAMILIES)
    assert {*families.FAMILIES} == {*backbones.FAMILIES}
    assert {cell.strip() for _, cells in rows for cell in cells.split("|")[:-1]} == {"yes"}
