"""Checkpoints that cannot be used are refused before any work, and nothing is left behind."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import random_models
import torch
from safetensors.torch import load_file, save_file

from hpo_bench.errors import HpoBenchError, MergeError, UsageError
from hpo_bench.merging import memory
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.identification import INDEX
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge, stream_merge
from hpo_bench.merging.writing.graft import extract, write_grafted

SETTING = MergeSetting("ta", 0.5, 0.5)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("bad"), "llava")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


def shard(folder: Path) -> Path:
    return sorted(folder.glob("*.safetensors"))[1]


def truncate(folder: Path) -> None:
    path = shard(folder)
    path.write_bytes(path.read_bytes()[:-100])


def cut_header(folder: Path) -> None:
    path = shard(folder)
    path.write_bytes(path.read_bytes()[:20])


def lose_index(folder: Path) -> None:
    (folder / INDEX).unlink()


def break_index(folder: Path) -> None:
    (folder / INDEX).write_text('{"weight_map": {"a": 3}}')


def lead_out(folder: Path) -> None:
    path = folder / INDEX
    index = json.loads(path.read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../elsewhere.safetensors")
    path.write_text(json.dumps(index))


def mislead(folder: Path) -> None:
    path = folder / INDEX
    index = json.loads(path.read_text())
    index["weight_map"]["model.nowhere.weight"] = shard(folder).name
    path.write_text(json.dumps(index))


def pickle(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    torch.save({}, folder / "pytorch_model.bin")


def quantise(folder: Path) -> None:
    path = shard(folder)
    save_file({name: tensor.to(torch.int8) for name, tensor in load_file(path).items()}, path)


def declare_quantised(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "quantization_config": {"bits": 4}}))


def poison(value: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.glob("*.safetensors"):
            tensors = load_file(path)
            for name in tensors:
                if "layers.1.mlp.up_proj" in name and "vision" not in name:
                    tensors[name][3, 5] = value
            save_file(tensors, path, metadata={"format": "pt"})

    return change


def poison_copied(value: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.glob("*.safetensors"):
            tensors = load_file(path)
            for name in tensors:
                if "vision_tower" in name and name.endswith("layers.0.mlp.fc1.weight"):
                    tensors[name][3, 5] = value
            save_file(tensors, path, metadata={"format": "pt"})

    return change


def lose_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize("role", ["base", "vlm", "expert"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shard(folder).unlink(), r"shard model-\S+ is missing; fetch it anew"),
        (truncate, "cannot be read, it may be truncated"),
        (cut_header, "cannot be read, it may be truncated"),
        (lose_index, "but not their model.safetensors.index.json"),
        (break_index, "is no safetensors index"),
        (lead_out, "which is no file beside or below it"),
        (mislead, "lacks 'model.nowhere.weight'"),
        (pickle, "pytorch_model.bin is a pickle, and loading a pickle runs whatever code"),
        (quantise, "is stored as I8; quantised checkpoints cannot be merged"),
        (declare_quantised, "a quantised checkpoint cannot be merged"),
        (poison(float("nan")), "up_proj.weight holds 1 weights that are NaN or infinite"),
        (poison(float("inf")), "up_proj.weight holds 1 weights that are NaN or infinite"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: is not JSON"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lose_tokenizer, r"its tokenizer cannot be read \(there is none\); rows of embeddings are matched by token"),
    ],
)
def test_a_spoilt_checkpoint_is_refused_and_nothing_is_written(
    folder: Path, role: str, spoil: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    spoil(folder / role)
    with pytest.raises(MergeError, match=message):
        LoadedPair.load(Pair.read(folder))
    with pytest.raises(MergeError, match=message):
        stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_only_copied_must_be_numbers_too(folder: Path, value: float, tmp_path: Path) -> None:
    poison_copied(value)(folder / "vlm")
    message = r"vision_tower\S+fc1.weight holds 1 weights that are NaN or infinite; fetch it anew"
    pair = Pair.read(folder)
    alignment = Alignment.of(pair)
    with pytest.raises(MergeError, match=message):
        LoadedPair.load(pair)
    with pytest.raises(MergeError, match=message):
        stream_merge(pair, SETTING, tmp_path / "out")
    with pytest.raises(MergeError, match=message):
        write_grafted(alignment, lambda name: alignment.triple(name).base, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


def test_language_that_the_pair_leaves_out_must_be_numbers_too(folder: Path, tmp_path: Path) -> None:
    with (folder / "pair.yaml").open("a") as file:
        file.write("merge: {norms: false}\n")
    for path in (folder / "vlm").glob("*.safetensors"):
        tensors = load_file(path)
        for name in tensors:
            if name.endswith("layers.1.input_layernorm.weight"):
                tensors[name][3] = float("nan")
        save_file(tensors, path, metadata={"format": "pt"})
    alignment = Alignment.of(Pair.read(folder))
    with pytest.raises(MergeError, match=r"input_layernorm\.weight holds 1 weights"):
        extract(alignment, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


def test_too_little_memory_says_how_much_is_needed_and_what_else_can_be_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda _device=None: 2**20)
    with pytest.raises(MergeError, match=r"needs 1\.\d MiB of memory, and 1\.0 MiB are free; in bfloat16 .*--stream"):
        LoadedPair.load(Pair.read(folder), dtype="float32")


def test_too_little_memory_for_thresholds_is_said_before_they_are_made(
    loaded: LoadedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Resident(loaded)
    monkeypatch.setattr(memory, "available_memory", lambda _device=None: 2**20)
    engine.merge(SETTING)
    with pytest.raises(MergeError, match=r"thresholds of TIES needs 4\.\d MiB of memory, .* `dtype: bfloat16`"):
        engine.merge(MergeSetting("ties", 0.5, 0.5, 0.5))


def test_too_small_a_disk_is_said_before_anything_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_disk", lambda _folder: 2**10)
    pair = Pair.read(folder)
    with pytest.raises(MergeError, match=r"needs \d+\.\d KiB of disk, and 1\.0 KiB are free"):
        export_merge(pair, LoadedPair.load(pair), SETTING, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


def test_a_disk_that_fills_up_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hpo_bench.merging.writing.folder.save_file", full)
    with pytest.raises(MergeError, match=r"cannot be written: .*No space left"):
        stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


def test_a_folder_that_is_taken_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_merge_that_overflows_is_no_model(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HpoBenchError, match="NaN, infinite or too large for bfloat16; use smaller weights"):
        stream_merge(Pair.read(folder), MergeSetting("ta", 1e39, 1.0), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


def test_weights_of_another_shape_are_not_grafted(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MergeError, match=r"the merged weights are \(2, 2\), and the VLM's"):
        write_grafted(Alignment.of(Pair.read(folder)), lambda _name: torch.zeros(2, 2), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair"}


def refused_everywhere(folder: Path, message: str) -> None:
    """Whether doctor, a merge in memory and a streamed one say so, none of which loads the VLM to find out."""
    pair = Pair.read(folder)
    assert any(re.search(message, one.message) for one in diagnose(pair).findings if one.severity == "error")
    with pytest.raises(MergeError, match=message):
        LoadedPair.load(pair)
    with pytest.raises(MergeError, match=message):
        stream_merge(pair, SETTING, folder.parent / "out")


def test_a_vlm_whose_projector_is_not_its_configurations_is_refused(folder: Path) -> None:
    config = folder / "vlm" / "config.json"
    content = json.loads(config.read_text())
    content["vision_config"]["hidden_size"] *= 2
    config.write_text(json.dumps(content))
    refused_everywhere(folder, r"of the VLM have other shapes than its configuration says \(of the first \(")


def test_a_vlm_that_lacks_weights_of_its_own_is_refused(folder: Path) -> None:
    path = folder / "vlm" / INDEX
    index = json.loads(path.read_text())
    name = next(name for name in index["weight_map"] if name.startswith("multi_modal_projector"))
    file = folder / "vlm" / index["weight_map"].pop(name)
    path.write_text(json.dumps(index))
    tensors = load_file(file)
    tensors.pop(name)
    save_file(tensors, file, metadata={"format": "pt"})
    refused_everywhere(folder, r"lacks weights of its own architecture: model\.multi_modal_projector")


def test_an_unsharded_folder_with_a_vendors_own_copy_is_read_once(folder: Path, shipped: Pair, tmp_path: Path) -> None:
    base = Path(shutil.copytree(shipped.base, tmp_path / "base"))
    save_file({"layers.0.attention.wq.weight": torch.zeros(2)}, base / "consolidated.safetensors")
    assert Checkpoint.open(base).tensors == Checkpoint.open(shipped.base).tensors
