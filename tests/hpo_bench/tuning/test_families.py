"""Every known family from the doctor to an export that is opened again: random weights (SYNTHETIC), real processors.

In both layouts that published checkpoints have: names as on the hub, and names as in memory.
"""

import os
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import families
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText
from tuning_toys import InlinePool

from hpo_bench.cli import cli
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import load_processor
from hpo_bench.tuning import run as tuning
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.options import RunOptions
from hpo_bench.tuning.origin import StudyOrigin
from hpo_bench.tuning.study import Study
from hpo_bench.tuning.workers.session import PairOpener

ALL = [
    (family, tied, layout)
    for family in families.FAMILIES
    for tied in (False, True)
    # Idefics2 is published with the names that it has in memory.
    for layout in (("hub",) if family == "idefics2" else ("hub", "memory"))
]
# Every family tied, as models are in memory, and one as hubs have it; `HPO_BENCH_ALL=1` runs each with each.
CASES = [
    (family, tied, layout)
    for family, tied, layout in ALL
    if os.environ.get("HPO_BENCH_ALL")
    or (tied and (family == "idefics2" or layout == "memory"))
    or (family, tied, layout) == ("qwen2_vl", False, "hub")
]
ON_HUBS = {
    "llava": "language_model.model.norm.weight",
    "llava_next": "language_model.model.norm.weight",
    "qwen2_vl": "model.norm.weight",
    "qwen2_5_vl": "model.norm.weight",
    "idefics2": "model.text_model.norm.weight",
}


def build(folder: Path, family: str, *, tied: bool, layout: str) -> Pair:
    """A pair of few questions whose VLM is stored in a layout; of a tied one in memory layout also the head's alias."""
    families.build(folder, family, tied=tied)
    vlm = folder / "vlm"
    if layout == "memory":
        model: Any = AutoModelForImageTextToText.from_pretrained(vlm, dtype="auto", use_safetensors=True)
        for file in vlm.glob("model*.safetensors*"):
            file.unlink()
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        save_file(state, vlm / "model.safetensors", metadata={"format": "pt"})
    names = Checkpoint.open(vlm).tensors
    assert (ON_HUBS[family] in names) == (layout == "hub")
    assert any(name.endswith("lm_head.weight") for name in names) == (not tied or layout == "memory")
    write_examples(families.examples(20), folder / "examples.parquet")
    with (folder / "pair.yaml").open("a", encoding="utf-8") as file:
        file.write("merge: {dtype: stored}\nevaluation: {kind: local, generate: true, max_new_tokens: 2}\n")
    return Pair.read(folder)


def run(pair: Pair, studies: Path, trials: int) -> str:
    """Tune in this process; what was shown."""
    console = Console(file=StringIO(), width=200)
    config, options = StudyConfig.of(pair, optimizer="sobol"), RunOptions(trials=trials, study="s", studies=studies)
    origin = StudyOrigin(str(pair.folder), str(studies), ("hpo-bench", "tune", str(pair.folder)))
    tuning.run(
        pair, config, options, console=console, origin=origin,
        open_pool=lambda *_: InlinePool(run=PairOpener(pair)("cpu").run),
    )  # fmt: skip
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def heard(pair: Pair, loaded: LoadedPair) -> tuple[list[torch.Tensor], tuple[str, ...]]:
    """All logits with which a model answers the validation questions, and the answers."""
    logits: list[torch.Tensor] = []
    handle = loaded.vlm.get_output_embeddings().register_forward_hook(lambda *parts: logits.append(parts[2].clone()))
    evaluator = open_evaluator(pair, loaded)
    outcome = evaluator.evaluate(loaded.vlm, evaluator.examples("validation"))
    handle.remove()
    return logits, outcome.responses


@pytest.mark.parametrize(
    ("family", "tied", "layout"), CASES, ids=[f"{f}-{'tied' if t else 'untied'}-{n}" for f, t, n in CASES]
)
def test_from_the_doctor_to_an_export_that_is_opened_again(
    family: str, tied: bool, layout: str, tmp_path: Path
) -> None:
    pair = build(tmp_path / "pair", family, tied=tied, layout=layout)

    result = CliRunner().invoke(cli, ["doctor", str(pair.folder)])
    assert result.exit_code == 0, result.output
    assert "These can be merged." in result.output

    given = ("-m", "ta", "--vl-weight", "0.6", "--exp-weight", "0.8", "--out", str(tmp_path / "merged"))
    result = CliRunner().invoke(cli, ["merge", str(pair.folder), "--stream", *given])
    assert result.exit_code == 0, result.output

    studies = tmp_path / "studies"
    assert "base VLM" in run(pair, studies, trials=2)
    study = Study.open("s", studies)
    trials = study.store.trials()
    assert [trial.state for trial in trials] == ["complete"] * 2

    out = tmp_path / "out"
    made = study.export(out)
    assert made.same == made.total > 0, made.sentence

    # What the hub's users do with it: it answers as the live merge did, and tied weights are tied.
    model: Any = AutoModelForImageTextToText.from_pretrained(out, dtype="auto", use_safetensors=True)
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (embeddings.data_ptr() == head.data_ptr()) == tied
    loaded = LoadedPair.load(pair)
    assert Resident(loaded).merge(made.trial.setting) == made.trial.fingerprint
    (live, told), (again, retold) = (
        heard(pair, each) for each in (loaded, replace(loaded, vlm=model.eval(), processor=load_processor(out)))
    )
    assert told == retold == study.store.answers(made.trial.number).responses
    assert len(live) == len(again) > 0
    assert all(torch.equal(one, other) for one, other in zip(live, again, strict=True))
    assert set(Checkpoint.open(out).tensors) == set(Checkpoint.open(pair.vlm).tensors)
    merged: Any = AutoModelForImageTextToText.from_pretrained(tmp_path / "merged", dtype="auto", use_safetensors=True)
    assert not torch.equal(merged.get_output_embeddings().weight, head)

    if (family, tied) == ("llava", True):  # its figures take as long as all else
        assert study.write_report().is_file()
    if not tied and family != "llava":
        return  # going on with a study is no other for them
    run(pair, studies, trials=3)
    more = Study.open("s", studies).store.trials()
    assert [trial.fingerprint for trial in more[:2]] == [trial.fingerprint for trial in trials]
    assert len(more) == 3
