"""The way through mergekit and back gives what the merge command gives, and says how."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import backbones
import pytest
import random_models
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

import hpo_bench as hb
from hpo_bench.cli import cli
from hpo_bench.errors import UsageError
from hpo_bench.merging.checkpoints.alignment import Alignment, Triple
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.hub_layout import hub_names
from hpo_bench.merging.checkpoints.vocabulary import read_vocabulary
from hpo_bench.merging.engine import mergekit
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("architecture", "tied", "method"),
    [("llava_next", False, "ta"), ("qwen2_vl", True, "ta"), ("idefics2", False, "ties")],
)
def test_extract_mergekit_and_graft_are_the_merge(
    architecture: str, tied: bool, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    monkeypatch.chdir(tmp_path)
    random_models.build(tmp_path / "pair", architecture, tied=tied)
    setting = ["-m", method, "--vl-weight", 0.6, "--exp-weight", 0.8, *(["--density", 0.5] if method == "ties" else [])]
    invoke("merge", "pair", *setting, "--out", "merged")
    recipe = (tmp_path / "merged" / "mergekit.yaml").read_text()
    assert "hpo-bench graft extract pair --out parts" in recipe, "which finds it, as its name does not"
    assert "hpo-bench graft onto pair --language merged --out random-merged" in recipe
    invoke("graft", "extract", "pair", "--out", "parts")
    # mergekit keeps what it has opened by name, and its other merges in this process had a folder "parts" too.
    recipe = recipe.replace("parts/", f"{tmp_path}/parts/")
    configuration = MergeConfiguration.model_validate(yaml.safe_load(recipe))
    run_merge(configuration, "language", MergeOptions(quiet=True, write_model_card=False))
    invoke("graft", "onto", "pair", "--language", "language", "--out", "grafted")
    ours, theirs = Checkpoint.open(tmp_path / "merged"), Checkpoint.open(tmp_path / "grafted")
    assert ours.tensors == theirs.tensors
    alignment = Alignment.of(Pair.read(tmp_path / "pair"))
    language = {ours: theirs for theirs, ours in alignment.language.items()}
    for name in ours.tensors:
        different = ours.tensor(name) != theirs.tensor(name)
        if different.any():
            assert method == "ties", name
            # Which of equal magnitudes at the threshold is kept is mergekit's choice.
            assert (different <= at_threshold(alignment.triple(language[name]), 0.5)).all(), name


def at_threshold(triple: Triple, density: float) -> torch.Tensor:
    """Elements as large as the smallest that TIES keeps, in either task vector."""
    found = torch.zeros(triple.base.shape, dtype=torch.bool)
    for parent in (triple.vlm, triple.expert):
        size = (parent.float() - triple.base.float()).abs()
        found |= size == size.ravel().sort(descending=True).values[int(density * size.numel()) - 1]
    return found


def layouts(folder: Path, family: str, to: Path) -> dict[str, Path]:
    """A text fine-tune in the layouts that it circulates in: as a language model, or under its VLM's names."""
    made = {"text": folder / "expert"}
    tensors = {
        name: each for file in (folder / "expert").glob("*.safetensors") for name, each in load_file(file).items()
    }
    ours = {backbones.in_vlm(backbones.FAMILIES[family], name): each for name, each in tensors.items()}
    for name, config, stored in (
        ("names of the VLM", folder / "expert", ours),
        ("names and configuration of the VLM", folder / "vlm", ours),
        ("configuration of the VLM", folder / "vlm", tensors),
    ):
        made[name] = to / name
        made[name].mkdir(parents=True)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(folder / "expert" / file, made[name])
        shutil.copy(config / "config.json", made[name])
        save_file(stored, made[name] / "model.safetensors", metadata={"format": "pt"})
    return made


@pytest.mark.parametrize(("family", "tied"), [("qwen3.5", False), ("gemma4", True), ("gemma3", True)])
def test_a_text_fine_tune_is_put_back_in_every_layout(family: str, tied: bool, tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", family, tied=tied)
    others = {"generation_config.json": "{}", "preprocessor_config.json": "{}", "chat_template.jinja": "{{ x }}"}
    for name, text in others.items():
        (folder / "vlm" / name).write_text(text)
    alignment = Alignment.of(Pair.of(base=str(folder / "expert"), vlm=str(folder / "vlm"), expert=str(folder / "base")))
    vlm, hub = Checkpoint.open(folder / "vlm"), hub_names(alignment.models["vlm"])
    for layout, place in layouts(folder, family, tmp_path / "circulating").items():
        out = tmp_path / f"onto {layout}"
        said = invoke("graft", "onto", "--vlm", folder / "vlm", "--language", place, "--out", out)
        assert "% from its own" in said
        written = Checkpoint.open(out)
        assert {hub[name]: info for name, info in vlm.tensors.items()} == written.tensors
        for name in vlm.tensors:
            theirs = alignment.merged_name(name)
            expected = vlm.tensor(name) if theirs is None else alignment.triple(theirs).base
            assert torch.equal(written.tensor(hub[name]), expected.to(torch.bfloat16)), (layout, name)
        assert {name: (out / name).read_text() for name in others} == others
        assert json.loads((out / "hpo_bench.json").read_text())["graft"]["language"] == str(place)
    model = AutoModelForImageTextToText.from_pretrained(out, dtype=torch.float32)
    assert torch.isfinite(model.lm_head.weight).all()


def unrelated(folder: Path) -> Path:
    """Another language model of the same shapes."""
    for file in (folder / "base").glob("*.safetensors"):
        tensors = load_file(file)
        torch.manual_seed(9)
        save_file({name: torch.randn_like(each) for name, each in tensors.items()}, file, metadata={"format": "pt"})
    return folder / "base"


@pytest.mark.parametrize(
    ("language", "message"),
    [
        (
            lambda folder: backbones.build(folder / "other", "qwen2-vl") / "base",
            "lacks: .*q_norm|maps to: .*q_proj.bias",
        ),
        (unrelated, r"is no relative of the VLM's language part: the cosine between their weights is -?0.0"),
        (lambda folder: folder / "vlm", ""),
    ],
    ids=["another family", "unrelated", "its own"],
)
def test_what_does_not_belong_into_the_vlm_is_refused(language: Any, message: str, tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3-vl")
    place = str(language(folder))
    out = tmp_path / "out"
    result = CliRunner().invoke(
        cli, ["graft", "onto", "--vlm", str(folder / "vlm"), "--language", place, "--out", str(out)]
    )
    if not message:
        assert result.exit_code == 0, result.output
        assert "0.0% from its own" in result.output
        return
    assert re.search(message, str(result.exception)), result.exception
    assert "the expert" not in str(result.exception)
    assert not out.exists()


def test_extracted_models_load_and_hold_the_vlms_rows(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    random_models.build(tmp_path / "pair", "qwen2_vl")
    invoke("graft", "extract", tmp_path / "pair", "--out", tmp_path / "parts")
    tokens = len(random_models.SPECIAL) + random_models.Widths().words + len(random_models.IMAGE)
    for role in ("base", "vlm", "expert"):
        model, info = AutoModelForCausalLM.from_pretrained(tmp_path / "parts" / role, output_loading_info=True)
        assert not info["missing_keys"]
        assert not info["unexpected_keys"]
        assert len(model.get_input_embeddings().weight) == tokens + random_models.PADDING_ROWS
        assert len(read_vocabulary(tmp_path / "parts" / role)) == tokens
        with torch.no_grad():
            assert torch.isfinite(model(torch.arange(5)[None]).logits).all()


def test_streaming_and_memory_write_the_same_dare(tmp_path: Path) -> None:
    folder = random_models.build(tmp_path / "pair", "llava")
    setting = ["-m", "dare", "--vl-weight", 0.6, "--exp-weight", 0.8, "--density", 0.5, "--mask-seed", 3]
    invoke("merge", folder, *setting, "--out", tmp_path / "memory")
    invoke("merge", folder, *setting, "--stream", "--out", tmp_path / "streamed")
    memory, streamed = Checkpoint.open(tmp_path / "memory"), Checkpoint.open(tmp_path / "streamed")
    for name in memory.tensors:
        assert torch.equal(memory.tensor(name), streamed.tensor(name)), name


@pytest.mark.parametrize(
    ("family", "base"), [("qwen3-vl-moe", "base"), ("gemma3", "vlm"), ("gemma4", "base"), ("mllama", "base")]
)
def test_extracted_models_load_whatever_the_base_is(family: str, base: str, tmp_path: Path) -> None:
    """Experts stored one by one, a VLM as the base, a second table by token, and one with more rows than the head."""
    folder = backbones.build(tmp_path / "pair", family)
    given = {"base": folder / base, "vlm": folder / "vlm", "expert": folder / "expert"}
    if base == "vlm":
        given["expert"] = folder / "vlm"
    invoke(
        "graft", "extract", *(text for role, place in given.items() for text in (f"--{role}", place)),
        "--out", tmp_path / "parts",
    )  # fmt: skip
    vlm = AutoModelForImageTextToText.from_pretrained(folder / "vlm")
    loaded, info = AutoModelForCausalLM.from_pretrained(tmp_path / "parts" / "vlm", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    state = vlm.state_dict()
    for name, weight in loaded.state_dict().items():
        ours = state[backbones.in_vlm(backbones.FAMILIES[family], name)]
        assert torch.equal(weight, ours[: len(weight)] if weight.dim() else ours), name


def test_python_grafts_as_the_command_does(tmp_path: Path) -> None:
    folder = backbones.build(tmp_path / "pair", "qwen3.5", tied=True)
    (folder / "vlm" / "preprocessor_config.json").write_text("{}")
    (folder / "vlm" / "generation_config.json").write_text('{"do_sample": false}')
    out = hb.graft(folder / "vlm", folder / "expert", out=tmp_path / "python")
    invoke("graft", "onto", folder, "--language", folder / "expert", "--out", tmp_path / "command")
    again = hb.graft(hb.load_pair(str(folder)), folder / "expert", out=tmp_path / "pair-vlm")
    for other in (tmp_path / "command", again):
        files = sorted(path.name for path in out.iterdir())
        assert files == sorted(path.name for path in other.iterdir())
        for name in files:
            assert (out / name).read_bytes() == (other / name).read_bytes(), name
    assert {path.name for path in (folder / "vlm").iterdir()} <= {path.name for path in out.iterdir()}
    with pytest.raises(UsageError, match="language"):
        hb.graft(folder / "vlm", tmp_path / "none", out=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


CODE = """
from transformers import LlavaConfig, LlavaForConditionalGeneration

class OwnConfig(LlavaConfig):
    model_type = "own"

class Own(LlavaForConditionalGeneration):
    config_class = OwnConfig
"""


@pytest.mark.parametrize("offered", ["AutoModelForImageTextToText", "AutoModelForCausalLM", "AutoModel"])
def test_a_vlm_with_code_of_its_own_is_grafted_where_that_is_trusted(
    offered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.path", [*sys.path])
    folder = backbones.build(tmp_path / "pair", "llava", layout="memory")
    (folder / "vlm" / "own.py").write_text(CODE)
    config = json.loads((folder / "vlm" / "config.json").read_text())
    classes = {"AutoConfig": "own.OwnConfig", offered: "own.Own"}
    config |= {"model_type": "own", "auto_map": classes}
    (folder / "vlm" / "config.json").write_text(json.dumps(config))
    with (folder / "pair.yaml").open("a") as file:
        file.write("trust_remote_code: true\n")
    refused = CliRunner().invoke(cli, ["graft", "extract", str(folder), "--out", str(tmp_path / "parts")])
    assert "say `trust_remote_code: true` in a pair.yaml and give --trust-remote-code" in str(refused.exception)
    invoke("graft", "extract", folder, "--out", tmp_path / "parts", "--trust-remote-code")
    language = tmp_path / "parts" / "expert"
    out = tmp_path / "out"
    invoke("graft", "onto", folder, "--language", language, "--out", out, "--trust-remote-code")
    assert (out / "own.py").read_text() == CODE
    loaded = LoadedPair.load(Pair.read(folder), trust_remote_code=True)
    assert type(loaded.vlm).__name__ == "Own"
    recipe = mergekit.text(Pair.read(folder), MergeSetting("ta", 0.5, 0.5), merged_in="float32", stored_in="bfloat16")
    assert recipe.count(" --trust-remote-code\n") == 2
