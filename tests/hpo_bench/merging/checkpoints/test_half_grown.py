"""Vocabularies that grew in the embeddings and not in the head, or the other way round; random weights (SYNTHETIC)."""

import shutil
from pathlib import Path

import pytest
import random_models
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from hpo_bench.cli import cli
from hpo_bench.errors import MergeError
from hpo_bench.merging.architectures import EMBEDDINGS, HEAD
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import stream_merge


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(
        tmp_path_factory.mktemp("grown"), "qwen2_vl", widths=random_models.Widths(words=120), shard="10MB"
    )


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


def resize(folder: Path, name: str, by: int) -> None:
    """Add rows at the end, or take some away."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    old = tensors[name]
    tensors[name] = torch.cat([old, old[:by]]) if by > 0 else old[:by].contiguous()
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize("role", ["base", "expert"])
@pytest.mark.parametrize("by", [-4, 4])
@pytest.mark.parametrize("name", [EMBEDDINGS, HEAD])
def test_a_token_without_a_row_is_one_that_the_model_does_not_know_there(
    folder: Path, role: str, by: int, name: str, tmp_path: Path
) -> None:
    whole = Alignment.of(Pair.read(folder)).triple(name)
    resize(folder / role, name, by)
    pair = Pair.read(folder)
    result = CliRunner().invoke(cli, ["doctor", str(folder)])
    assert result.exit_code == 0, result.output
    assert f"the {role}'s embeddings, head and configuration do not have as many rows" in " ".join(
        result.output.split()
    )
    stream_merge(pair, MergeSetting("ta", 0.5, 0.5), tmp_path / "out")
    cut = Alignment.of(pair).triple(name)
    other = "base" if role == "expert" else "expert"
    if by > 0:
        assert torch.equal(getattr(cut, role), getattr(whole, role)), "further rows belong to no token"
        return
    changed = (getattr(cut, role) != getattr(whole, role)).any(dim=1).nonzero().flatten()
    fallback = cut.base if role == "expert" else cut.vlm
    assert len(changed) == 4
    assert torch.equal(getattr(cut, role)[changed], fallback[changed])
    assert role == "expert" or torch.equal(cut.expert[changed], cut.vlm[changed]), f"without the {other}'s either"


@pytest.mark.parametrize("name", [EMBEDDINGS, HEAD])
def test_a_vlm_that_cannot_be_loaded_is_no_pair(folder: Path, name: str, tmp_path: Path) -> None:
    resize(folder / "vlm", {EMBEDDINGS: "model.embed_tokens.weight", HEAD: HEAD}[name], 4)
    pair = Pair.read(folder)
    (message,) = [f.message for f in diagnose(pair).findings if f.severity == "error"]
    assert "so transformers cannot load it; `resize_token_embeddings` makes them alike" in message
    with pytest.raises(MergeError, match="do not have as many rows"):
        LoadedPair.load(pair)
    with pytest.raises(MergeError, match="do not have as many rows"):
        stream_merge(pair, MergeSetting("ta", 0.5, 0.5), tmp_path / "out")


def test_a_heads_bias_that_no_class_takes_is_kept(folder: Path) -> None:
    for role in ("base", "vlm", "expert"):
        file = folder / role / "model.safetensors"
        tensors = load_file(file)
        tensors["lm_head.bias"] = tensors[HEAD][:, 0].contiguous()
        save_file(tensors, file, metadata={"format": "pt"})
    alignment = Alignment.of(Pair.read(folder))
    alignment.check()
    assert "lm_head.bias" in alignment.copied
    assert "lm_head.bias" not in alignment.merged
    notes = [finding.message for finding in alignment.findings if "does not take" in finding.message]
    assert [note.split(" stores")[0] for note in notes] == ["the base", "the vlm", "the expert"]
