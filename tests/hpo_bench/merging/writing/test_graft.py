"""The way through mergekit and back gives what the merge command gives, and says how."""

from pathlib import Path

import backbones
import pytest
import random_models
import torch
import yaml
from click.testing import CliRunner
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from hpo_bench.cli import cli
from hpo_bench.merging.checkpoints.alignment import Alignment, Triple
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.vocabulary import read_vocabulary
from hpo_bench.merging.pair import Pair


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
    assert "hpo-bench graft extract random --out parts" in recipe
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


def test_a_model_that_lacks_language_is_not_grafted(tmp_path: Path) -> None:
    folder = random_models.build(tmp_path / "pair", "llava")
    result = CliRunner().invoke(
        cli, ["graft", "onto", str(folder), "--language", str(folder / "vlm"), "--out", str(tmp_path / "out")]
    )
    assert "lacks language tensors of the VLM" in str(result.exception)
    assert not (tmp_path / "out").exists()


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


@pytest.mark.parametrize(("family", "base"), [("qwen3-vl-moe", "base"), ("gemma3", "vlm")])
def test_extracted_models_load_whatever_the_base_is(family: str, base: str, tmp_path: Path) -> None:
    """Experts stored one by one, and a VLM as the base."""
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
        assert torch.equal(weight, state[backbones.in_vlm(backbones.FAMILIES[family], name)]), name
