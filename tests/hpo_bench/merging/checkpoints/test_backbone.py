"""How a language backbone is found, and what is said where it is not."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import backbones
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from hpo_bench.cli import cli
from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.backbone import find_backbone, language_name
from hpo_bench.merging.pair import Pair


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda name: backbones.build(tmp_path_factory.mktemp(name), name))


@pytest.fixture
def folder(made: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made("qwen3-vl"), tmp_path / "pair"))


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change what the first shard holds."""
    file = sorted(folder.glob("*.safetensors"))[0]
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] |= dict.fromkeys(tensors, file.name)
    content["weight_map"] = {
        name: at for name, at in content["weight_map"].items() if at != file.name or name in tensors
    }
    index.write_text(json.dumps(content))


def test_the_longest_prefix_counts() -> None:
    prefixes = {"model.": "model.", "model.language_model.": "model."}
    assert language_name("model.language_model.norm.weight", prefixes) == "model.norm.weight"
    assert language_name("model.norm.weight", prefixes) == "model.norm.weight"
    assert language_name("visual.norm.weight", prefixes) is None


def test_a_resampler_with_names_of_language_layers_is_kept(made: Callable[[str], Path]) -> None:
    alignment = Alignment.of(Pair.read(made("idefics2")))
    resampler = [name for name in alignment.copied if "perceiver_resampler.layers.0.self_attn.q_proj" in name]
    assert len(resampler) == 1
    assert alignment.backbone.prefixes == {"model.text_model.": "model.", "lm_head.": "lm_head."}


def test_of_two_parts_with_the_bases_names_and_shapes_the_class_says_which_decodes(
    made: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    alignment = Alignment.of(Pair.read(made("llava")))
    vlm = alignment.models["vlm"]
    base = {name: info.shape for name, info in alignment.models["base"].tensors.items()}
    body = {name: vlm.skeleton.shapes[ours] for name, ours in alignment.backbone.names.items() if "layers" in name}
    seeing = {name.replace("model.", "model.vision_tower.", 1): shape for name, shape in body.items()}
    seeing["model.vision_tower.norm.weight"] = base["model.norm.weight"]
    twice = replace(vlm.skeleton, shapes={**vlm.skeleton.shapes, **seeing})
    found = find_backbone(replace(vlm, skeleton=twice), base)
    assert found.names == alignment.backbone.names
    with pytest.raises(MergeError, match=r"may begin with 'model.language_model.' or 'model.vision_tower.'.*say which"):
        find_backbone(replace(vlm, skeleton=replace(twice, body="")), base)


def test_layers_between_those_of_the_language_model_are_kept_and_counted(made: Callable[[str], Path]) -> None:
    folder = made("mllama")
    alignment = Alignment.of(Pair.read(folder))
    assert alignment.language["model.layers.1.mlp.up_proj.weight"] == "model.language_model.layers.2.mlp.up_proj.weight"
    between = [name for name in alignment.copied if "language_model.model.layers.1." in name]
    assert len(between) == len(alignment.backbone.inserted) > 0
    result = CliRunner().invoke(cli, ["doctor", str(folder)])
    assert f"{len(between)} tensors of layers that the VLM has between them are kept" in " ".join(result.output.split())


def test_a_mapping_of_the_users_own_goes_first(folder: Path, made: Callable[[str], Path]) -> None:
    pair = Pair.read(folder)
    expected = Alignment.of(pair).language
    own = {"model.language_model.": "model.", "lm_head.": "lm_head."}
    assert Alignment.of(replace(pair, language_prefixes=own)).language == expected
    options = ["--language-prefix", "model.language_model.=model.", "--language-prefix", "lm_head.=lm_head."]
    result = CliRunner().invoke(cli, ["doctor", str(folder), *options])
    assert result.exit_code == 0, result.output
    assert "as given" in result.output
    on_disk = {"language_model.model.": "model.", "language_model.lm_head.": "lm_head."}  # as LLaVA's files have it
    llava = Pair.read(made("llava"))
    assert Alignment.of(replace(llava, language_prefixes=on_disk)).language == Alignment.of(llava).language


@pytest.mark.parametrize(
    ("prefixes", "message"),
    [
        ({"model.language_model.": "model."}, "tensors of the base that no tensor of the VLM maps to: lm_head.weight"),
        ({"foo.": "model."}, "no tensor of the VLM begins with 'foo.': nothing is language"),
        (
            {"model.language_model.layers.0.": "model.", "model.language_model.layers.1.": "model."},
            "both 'model.language_model.layers.0.self_attn.q_proj.weight' and .* map to 'model.self_attn.q_proj.w",
        ),
    ],
)
def test_a_mapping_that_leaves_something_out_is_refused(folder: Path, prefixes: dict, message: str) -> None:
    with pytest.raises(MergeError, match=message):
        Alignment.of(replace(Pair.read(folder), language_prefixes=prefixes)).check()


@pytest.mark.parametrize("text", ["model.language_model.", "a=b", "a.=b"])
def test_a_prefix_that_is_none_is_refused(folder: Path, text: str) -> None:
    result = CliRunner().invoke(cli, ["doctor", str(folder), "--language-prefix", text])
    assert result.exit_code == 2
    assert f"'{text}' is no pair of prefixes, each with its dot" in result.output


def test_every_tensor_is_named_and_merged_or_kept(made: Callable[[str], Path]) -> None:
    folder = made("qwen3.5")
    page = CliRunner().invoke(cli, ["doctor", str(folder), "--all"]).output
    data = json.loads(CliRunner().invoke(cli, ["doctor", str(folder), "--all", "--json"]).stdout)
    stored = Alignment.of(Pair.read(folder)).models["vlm"].checkpoint.tensors
    assert list(data["tensors"]) == list(stored)
    assert data["tensors"]["mtp.fc.weight"] is None
    kept = data["tensors"]["model.language_model.layers.0.linear_attn.dt_bias"]
    assert kept == "model.layers.0.linear_attn.dt_bias"
    assert all(name in page.replace("\n", "") for name in stored)
    assert "tensors" not in json.loads(CliRunner().invoke(cli, ["doctor", str(folder), "--json"]).stdout)


def test_a_language_tensor_that_would_stay_unmerged_is_an_error(folder: Path) -> None:
    name = "model.language_model.layers.0.self_attn.q_proj.bias"
    rewrite(folder / "vlm", lambda tensors: tensors.update({name: torch.zeros(32, dtype=torch.bfloat16)}))
    with pytest.raises(MergeError, match=r"language tensors of the VLM that the base lacks: .*0.self_attn.q_proj.bias"):
        Alignment.of(Pair.read(folder)).check()


def test_layers_for_guessing_tokens_ahead_are_foreseen(made: Callable[[str], Path]) -> None:
    alignment = Alignment.of(Pair.read(made("qwen3.5")))
    alignment.check()
    (note,) = [finding.message for finding in alignment.findings if "does not take" in finding.message]
    assert note.startswith(
        "the vlm stores 2 tensors that its class in transformers does not take, and a merge keeps as"
    )


@pytest.mark.parametrize(
    ("vlm", "other", "message"),
    [
        ("qwen3-vl", "llava", r"model.layers.0.self_attn.q_norm.weight"),  # a base of another family
        ("llava", "qwen2-vl", r"tensors of the base that no tensor of the VLM maps to: .*q_proj.bias"),
        ("qwen3-vl-moe", "qwen3-vl", r"language tensors of the VLM that the base lacks: .*mlp.experts"),
    ],
)
def test_a_base_of_another_family_is_named(
    vlm: str, other: str, message: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    pair = Pair.of(base=str(made(other) / "base"), vlm=str(made(vlm) / "vlm"), expert=str(made(vlm) / "expert"))
    with pytest.raises(MergeError, match=message):
        Alignment.of(pair).check()
    out = tmp_path / "out"
    places = [text for role, source in pair.sources.items() for text in (f"--{role}", str(source))]
    result = CliRunner().invoke(
        cli, ["merge", *places, "-m", "ta", "--vl-weight", "1", "--exp-weight", "1", "--out", str(out)]
    )
    assert result.exit_code != 0
    assert not out.exists()


def test_another_number_of_experts_is_named(made: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made("qwen3-vl-moe"), tmp_path / "pair"))
    config = json.loads((folder / "expert" / "config.json").read_text())
    kept = config["num_local_experts"] = 3
    (folder / "expert" / "config.json").write_text(json.dumps(config))
    for file in (folder / "expert").glob("*.safetensors"):
        tensors = load_file(file)
        few = {
            name: tensor[:kept].contiguous() if name.endswith("mlp.gate.weight") else tensor
            for name, tensor in tensors.items()
            if f".experts.{kept}." not in name
        }
        save_file(few, file, metadata={"format": "pt"})
    index = folder / "expert" / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] = {name: at for name, at in content["weight_map"].items() if f".experts.{kept}." not in name}
    index.write_text(json.dumps(content))
    with pytest.raises(MergeError, match=r"experts: 4 in the VLM, 3 in the expert; these are different architectures"):
        Alignment.of(Pair.read(folder)).check()
