"""Which files of a folder are its weights: those that transformers loads; random weights (SYNTHETIC)."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import random_models
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.checkpoints.identification import INDEX, SINGLE
from hpo_bench.merging.doctor.diagnosis import diagnose
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import stream_merge

NORM = "model.norm.weight"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("files"), "qwen2_vl")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


def whole(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def save(tensors: dict[str, torch.Tensor], file: Path) -> None:
    save_file(tensors, file, metadata={"format": "pt"})


def marked(folder: Path, mark: float) -> dict[str, torch.Tensor]:
    return {**whole(folder), NORM: torch.full((64,), mark, dtype=torch.bfloat16)}


def single_beside_shards(folder: Path) -> None:
    save(marked(folder, 3.0), folder / SINGLE)


def index_without_its_shards_beside_a_single_file(folder: Path) -> None:
    tensors = marked(folder, 3.0)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    save(tensors, folder / SINGLE)


def tensor_in_two_shards(folder: Path) -> None:
    shards = sorted(folder.glob("*.safetensors"))
    for mark, file in ((2.0, shards[0]), (3.0, shards[-1])):
        save({**load_file(file), NORM: torch.full((64,), mark, dtype=torch.bfloat16)}, file)
    for file in shards[1:-1]:
        save({name: tensor for name, tensor in load_file(file).items() if name != NORM}, file)
    place(folder, shards[0].name)


def tensor_in_another_shard_than_the_index_says(folder: Path) -> None:
    tensor_in_two_shards(folder)
    first = min(folder.glob("*.safetensors"))
    save({name: tensor for name, tensor in load_file(first).items() if name != NORM}, first)


def named_by_the_configuration(folder: Path) -> None:
    save(marked(folder, 3.0), folder / "chosen.safetensors")
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "transformers_weights": "chosen.safetensors"}))


def variant_beside(folder: Path) -> None:
    single_beside_shards(folder)
    save(marked(folder, 2.0), folder / "model.fp16.safetensors")


def shards_in_a_subfolder(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    (folder / "weights" / "of-mine").mkdir(parents=True)
    save(marked(folder, 3.0), folder / "all.safetensors")
    for file in folder.glob("model-*.safetensors"):
        file.rename(folder / "weights" / "of-mine" / file.name)
    last = max((folder / "weights" / "of-mine").iterdir())
    tensors = {**load_file(last), NORM: load_file(folder / "all.safetensors")[NORM]}
    save(tensors, last)
    (folder / "all.safetensors").unlink()
    index["weight_map"] = {name: f"weights/of-mine/{file}" for name, file in index["weight_map"].items()}
    index["weight_map"][NORM] = f"weights/of-mine/{last.name}"
    (folder / INDEX).write_text(json.dumps(index))


def place(folder: Path, shard: str) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"][NORM] = shard
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    "change",
    [
        single_beside_shards,
        index_without_its_shards_beside_a_single_file,
        tensor_in_two_shards,
        tensor_in_another_shard_than_the_index_says,
        named_by_the_configuration,
        variant_beside,
        shards_in_a_subfolder,
    ],
)
def test_what_transformers_loads_is_read(folder: Path, change: Callable[[Path], None], tmp_path: Path) -> None:
    change(folder / "base")
    model: Any = AutoModelForCausalLM.from_pretrained(folder / "base", dtype="auto", use_safetensors=True)
    read = Checkpoint.open(folder / "base")
    assert set(read.tensors) == set(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(read.tensor(name), tensor), name
    assert read.tensor(NORM)[0] == 3.0


@pytest.mark.parametrize("change", [single_beside_shards, tensor_in_two_shards, variant_beside, shards_in_a_subfolder])
def test_what_is_written_loads_as_the_merge(folder: Path, change: Callable[[Path], None], tmp_path: Path) -> None:
    change(folder / "vlm")
    out = stream_merge(Pair.read(folder), MergeSetting("ta", 1.0, 0.0), tmp_path / "out")
    before, after = Checkpoint.open(folder / "vlm"), Checkpoint.open(out)
    assert before.tensors == after.tensors
    assert after.unread == ()
    for name in before.tensors:
        assert torch.equal(before.tensor(name), after.tensor(name)), name
    if after.index:
        places = json.loads((out / INDEX).read_text())["weight_map"]
        assert all(name in load_file(out / file) for name, file in places.items())


def test_shards_in_a_subfolder_are_what_a_study_rests_on(folder: Path) -> None:
    shards_in_a_subfolder(folder / "vlm")
    before = Pair.read(folder).file_hashes()["vlm"]
    assert {Path(file).parent.as_posix() for file in before} == {"weights/of-mine"}
    (folder / "vlm" / min(before)).write_bytes(b"another")
    assert Pair.read(folder).file_hashes()["vlm"] != before


def test_files_that_are_not_loaded_are_named(folder: Path) -> None:
    single_beside_shards(folder / "expert")
    diagnosis = diagnose(Pair.read(folder))
    (warning,) = [f.message for f in diagnosis.findings if "does not load" in f.message]
    assert INDEX not in warning or "model-00001-of-" in warning
    assert "the expert's folder also holds model-00001-of-" in warning
    assert f"beside {SINGLE}" in warning


def no_metadata(index: dict[str, Any]) -> None:
    index.pop("metadata")


def absolute(index: dict[str, Any]) -> None:
    index["weight_map"][NORM] = "/etc/passwd"


def up(index: dict[str, Any]) -> None:
    index["weight_map"][NORM] = "../expert/model-00001-of-00002.safetensors"


def roundabout(index: dict[str, Any]) -> None:
    index["weight_map"][NORM] = "./model-00001-of-00002.safetensors"


def missing(index: dict[str, Any]) -> None:
    index["weight_map"][NORM] = "model-00009-of-00009.safetensors"


def nowhere(index: dict[str, Any]) -> None:
    index["weight_map"]["model.nowhere.weight"] = index["weight_map"][NORM]


def empty(index: dict[str, Any]) -> None:
    index["weight_map"] = {}


@pytest.mark.parametrize("role", ["base", "vlm", "expert"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_metadata, "is no safetensors index, which has a weight_map and metadata"),
        (empty, "is no safetensors index"),
        (absolute, "names '/etc/passwd', which is no file beside or below it"),
        (up, "names '../expert/model-00001-of-00002.safetensors', which is no file beside or below it"),
        (roundabout, "names './model-00001-of-00002.safetensors', which is no file beside or below it"),
        (missing, "shard model-00009-of-00009.safetensors is missing"),
        (nowhere, "lacks 'model.nowhere.weight', which model.safetensors.index.json says it holds"),
    ],
)
def test_indices_that_mislead_are_refused(
    folder: Path, role: str, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    file = folder / role / INDEX
    index = json.loads(file.read_text())
    change(index)
    file.write_text(json.dumps(index))
    with pytest.raises(MergeError, match=message):
        diagnose(Pair.read(folder))


@pytest.mark.parametrize("named", ["../other.safetensors", "weights.bin", 3, "absent.safetensors"])
def test_a_configuration_names_a_file_beside_it(folder: Path, named: object) -> None:
    config = folder / "base" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "transformers_weights": named}))
    with pytest.raises(MergeError, match="as transformers_weights, which is"):
        Checkpoint.open(folder / "base")
