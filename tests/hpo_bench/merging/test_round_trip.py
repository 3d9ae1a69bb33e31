"""What is merged, saved and loaded again is what it should be, in every architecture; random weights (SYNTHETIC)."""

import json
from pathlib import Path
from typing import Any

import pytest
import random_models
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

import hpo_bench as hb
from hpo_bench.errors import UsageError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.hub_layout import hub_names
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge, stream_merge

# Every family is in `test_backbones`; these are of different layouts, ties and biases.
CASES = [("llava", False), ("idefics2", False), ("qwen2_5_vl", False), ("qwen2_vl", True), ("qwen3_vl", True)]
RESTORING = MergeSetting("ta", 1.0, 0.0)


def logits(folder: Path) -> torch.Tensor:
    model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto", use_safetensors=True).eval()
    ids = torch.arange(1, 13).view(2, 6)
    extra = {"mm_token_type_ids": torch.zeros_like(ids)} if "qwen" in model.config.model_type else {}
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), **extra).logits


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}{'-tied' if case[1] else ''}")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    architecture, tied = request.param
    return Pair.read(random_models.build(tmp_path_factory.mktemp("random"), architecture, tied=tied))


@pytest.fixture(scope="module")
def loaded(pair: Pair) -> LoadedPair:
    return LoadedPair.load(pair)


def test_the_vlm_comes_back_bit_for_bit(pair: Pair, loaded: LoadedPair, tmp_path: Path) -> None:
    out = export_merge(pair, loaded, RESTORING, tmp_path / "out")
    before, after = Checkpoint.open(pair.vlm), Checkpoint.open(out)
    hub = hub_names(Alignment.of(pair).models["vlm"])
    assert {hub[name]: info for name, info in before.tensors.items()} == after.tensors
    for name in before.tensors:
        assert torch.equal(before.tensor(name), after.tensor(hub[name])), name
    assert torch.equal(logits(pair.vlm), logits(out))
    assert {path.name for path in pair.vlm.iterdir()} <= {path.name for path in out.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_merge_changes_language_alone_and_is_what_the_formula_says(
    pair: Pair, loaded: LoadedPair, tmp_path: Path
) -> None:
    out = export_merge(pair, loaded, MergeSetting("ta", 0.5, 0.75), tmp_path / "out", {"study": "a study"})
    alignment = Alignment.of(pair)
    before, after = Checkpoint.open(pair.vlm), Checkpoint.open(out)
    language, hub = alignment.names["vlm"].stored, hub_names(alignment.models["vlm"])
    changed = set()
    for name in before.tensors:
        if name in language:
            one = alignment.triple(language[name])
            base, vlm, expert = (tensor.double() for tensor in (one.base, one.vlm, one.expert))
            expected = base + 0.5 * (vlm - base) + 0.75 * (expert - base)
            torch.testing.assert_close(after.tensor(name).double(), expected, rtol=2**-7, atol=1e-6)
            changed.add(name)
        else:
            assert torch.equal(before.tensor(name), after.tensor(hub[name])), name
    assert changed == set(language)
    assert any(not torch.equal(before.tensor(name), after.tensor(name)) for name in changed)
    assert not torch.equal(logits(pair.vlm), logits(out))
    kept = json.loads((out / "hpo_bench.json").read_text())
    assert kept["parameters"] == {"vl_weight": 0.5, "exp_weight": 0.75}
    assert kept["study"] == "a study"
    assert (kept["merged_in"], kept["stored_in"]) == ("float32", "bfloat16")


@pytest.mark.parametrize("setting", [MergeSetting("ta", 0.5, 0.75), MergeSetting("ties", 0.5, 0.75, 0.4)], ids=str)
def test_streaming_writes_the_same_bytes(pair: Pair, loaded: LoadedPair, setting: MergeSetting, tmp_path: Path) -> None:
    at_once = Checkpoint.open(export_merge(pair, loaded, setting, tmp_path / "at-once"))
    streamed = Checkpoint.open(stream_merge(pair, setting, tmp_path / "streamed"))
    assert at_once.tensors == streamed.tensors
    for name in at_once.tensors:
        assert torch.equal(at_once.tensor(name), streamed.tensor(name)), name


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        (MergeSetting("metagpt"), "MetaGPT looks at all weights at once"),
        (MergeSetting("nan"), "NAN looks at all weights at once"),
        (MergeSetting("regmean"), "RegMean is calibrated on models in memory"),
    ],
    ids=str,
)
def test_what_one_tensor_alone_cannot_tell_is_not_streamed(
    shipped: Pair, setting: MergeSetting, why: str, tmp_path: Path
) -> None:
    for stream in (stream_merge, lambda pair, setting, out: hb.merge(pair, setting.method, out=out, stream=True)):
        with pytest.raises(UsageError, match=f"{why}; leave out the stream"):
            stream(shipped, setting, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_every_language_parameter_of_the_live_model_is_merged_and_no_other(loaded: LoadedPair) -> None:
    parameters = dict(loaded.vlm.named_parameters())
    vision = ("vision", "visual", "connector", "projector", "image_newline")
    assert set(loaded.names) == {name for name in parameters if not any(word in name for word in vision)}
    for mine in (loaded.base, loaded.tuned, loaded.expert):
        assert set(mine) == set(loaded.names.values())
    for ours, theirs in loaded.names.items():
        shape = parameters[ours].shape
        assert loaded.base[theirs].shape == loaded.tuned[theirs].shape == loaded.expert[theirs].shape == shape


def test_rows_follow_their_token_and_rows_of_the_vlm_alone_stay(loaded: LoadedPair, pair: Pair) -> None:
    name = "model.embed_tokens.weight"
    base, expert = (Checkpoint.open(folder).tensor(name).float() for folder in (pair.base, pair.expert))
    words = random_models.Widths().words
    first, shift = len(random_models.SPECIAL), len(random_models.CONTROL)
    known = slice(first, first + words)
    assert torch.equal(loaded.base[name][known], base[known])
    assert torch.equal(loaded.expert[name][known], expert[first + shift : first + shift + words])
    assert not torch.equal(loaded.expert[name][known], expert[known])
    own = slice(first + words, None)  # image tokens, and rows without a token
    assert len(loaded.base[name][own]) == len(random_models.IMAGE) + random_models.PADDING_ROWS
    assert torch.equal(loaded.base[name][own], loaded.tuned[name][own])
    assert torch.equal(loaded.expert[name][own], loaded.tuned[name][own])


@pytest.mark.parametrize("write", ["in memory", "streamed"])
def test_positions_and_counters_that_are_stored_beside_weights_are_kept(
    write: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Older transformers saved CLIP with its positions, and a BatchNorm counts its batches."""
    pair = Pair.read(random_models.build(tmp_path_factory.mktemp("positions"), "llava"))
    file = next(pair.vlm.glob("model-*.safetensors"))
    kept = {
        "vision_tower.vision_model.embeddings.position_ids": torch.arange(4)[None],
        "vision_tower.vision_model.other.position_ids": torch.arange(4, dtype=torch.int32)[None],
        "vision_tower.vision_model.norm.num_batches_tracked": torch.tensor(5),
        "vision_tower.vision_model.mask": torch.tensor([True, False]),
    }
    save_file({**load_file(file), **kept}, file, metadata={"format": "pt"})
    setting = MergeSetting("ta", 0.5, 0.75)
    if write == "streamed":
        out = stream_merge(pair, setting, tmp_path / "out")
    else:
        out = export_merge(pair, LoadedPair.load(pair), setting, tmp_path / "out")
    after = Checkpoint.open(out)
    for name, tensor in kept.items():
        assert torch.equal(after.tensor(name), tensor), name


@pytest.mark.parametrize("setting", [MergeSetting("ta", 0.5, 0.75), MergeSetting("ties", 0.5, 0.75, 0.4)], ids=str)
def test_what_is_stored_in_double_precision_is_merged_in_float32(setting: MergeSetting, tmp_path: Path) -> None:
    folder = random_models.build(tmp_path / "pair", "llava", shard="10MB")
    for file in folder.glob("*/model.safetensors"):
        save_file({name: each.double() for name, each in load_file(file).items()}, file, metadata={"format": "pt"})
    pair = Pair.read(folder)
    out = export_merge(pair, LoadedPair.load(pair, dtype="stored"), setting, tmp_path / "out")
    one, two = Checkpoint.open(out), Checkpoint.open(stream_merge(pair, setting, tmp_path / "streamed"))
    assert one.tensors == two.tensors
    assert {info.dtype for info in one.tensors.values()} == {torch.float64}
    for name in one.tensors:
        assert torch.equal(one.tensor(name), two.tensor(name)), name
