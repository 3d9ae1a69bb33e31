"""Links in a model's folder: weights are read through them, and no file of somebody else's is published."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import random_models
import torch

from hpo_bench.errors import MergeError
from hpo_bench.merging.checkpoints.alignment import Alignment
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge, stream_merge
from hpo_bench.merging.writing.graft import extract

SETTING = MergeSetting("ta", 0.5, 0.5)
CONTENT = "somebody's own"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("links"), "llava", shard="10MB")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "pair"))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "id_rsa"
    file.write_text(CONTENT)
    return file


def linked_file(vlm: Path, secret: Path) -> None:
    (vlm / "notes.txt").symlink_to(secret)


def linked_file_by_a_relative_path(vlm: Path, _secret: Path) -> None:
    (vlm / "LICENSE").symlink_to("../../home/id_rsa")


def linked_through_another(vlm: Path, secret: Path) -> None:
    (vlm / "hidden").symlink_to(secret)
    (vlm / "vocab.txt").symlink_to("hidden")


def linked_folder(vlm: Path, secret: Path) -> None:
    (vlm / "additional_chat_templates").symlink_to(secret.parent)


@pytest.mark.parametrize("link", [linked_file, linked_file_by_a_relative_path, linked_through_another, linked_folder])
def test_what_lies_elsewhere_is_not_published(
    folder: Path, secret: Path, link: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    link(folder / "vlm", secret)
    pair = Pair.read(folder)
    message = r"is a link to \S+id_rsa, outside the model's folder, and would be published with the merge; put the file"
    with pytest.raises(MergeError, match=message):
        stream_merge(pair, SETTING, tmp_path / "out")
    with pytest.raises(MergeError, match=message):
        export_merge(pair, LoadedPair.load(pair), SETTING, tmp_path / "out")
    if link is linked_through_another:
        with pytest.raises(MergeError, match=message):
            extract(Alignment.of(pair), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"pair", "home"}


@pytest.mark.parametrize("file", ["vlm/model.safetensors", "vlm/tokenizer.json", "vlm/NOTICE.md"])
def test_what_may_not_be_read_is_named_before_anything_is_written(
    folder: Path, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safetensors calls it "no such file", and a copy of it that fails reads like a fault of the new folder."""
    (folder / "vlm" / "NOTICE.md").touch()
    assert (folder / file).is_file()
    (folder / file).chmod(0)
    monkeypatch.setattr("os.access", lambda path, _mode: bool(Path(path).stat().st_mode & 0o400))  # also for root
    with pytest.raises(MergeError, match=rf"{file} may not be read; change its permissions"):
        stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} <= {"pair", "home"}


def test_terms_go_along_with_a_merge(folder: Path, tmp_path: Path) -> None:
    terms = ("LICENSE.md", "Notice", "NOTICE.txt", "COPYING", "USE_POLICY.md")
    for name in terms:
        (folder / "vlm" / name).write_text(name)
    out = stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert all((out / name).read_text() == name for name in terms)


def test_a_link_within_the_folder_is_copied_as_the_file_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (folder / "vlm" / "README.txt").write_text("of the model")
    (folder / "vlm" / "LICENSE").symlink_to("README.txt")
    out = stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert not (out / "LICENSE").is_symlink()
    assert (out / "LICENSE").read_text() == "of the model"


def test_a_snapshot_in_the_hubs_cache_is_made_of_links_to_its_own_blobs(
    folder: Path, secret: Path, tmp_path: Path
) -> None:
    """As huggingface_hub lays it out: snapshots/<commit>/<file> -> ../../blobs/<hash>."""
    plain = stream_merge(Pair.read(folder), SETTING, tmp_path / "plain")
    places = {}
    for role in ("base", "vlm", "expert"):
        repository = tmp_path / "hub" / f"models--owner--{role}"
        snapshot = repository / "snapshots" / "0123abcd"
        snapshot.mkdir(parents=True)
        (repository / "blobs").mkdir()
        for number, file in enumerate(sorted((folder / role).iterdir())):
            shutil.move(file, repository / "blobs" / f"{number:040x}")
            (snapshot / file.name).symlink_to(f"../../blobs/{number:040x}")
        places[role] = str(snapshot)
    pair = Pair.of(**places)
    out = stream_merge(pair, SETTING, tmp_path / "out")
    assert {path.name for path in out.iterdir()} == {path.name for path in plain.iterdir()}
    assert not any(path.is_symlink() for path in out.iterdir())
    before, after = Checkpoint.open(plain), Checkpoint.open(out)
    assert all(torch.equal(before.tensor(name), after.tensor(name)) for name in before.tensors)
    # Another repository of the same cache is somebody else's.
    Path(places["vlm"], "notes.txt").symlink_to("../../../models--owner--base/blobs/" + f"{0:040x}")
    with pytest.raises(MergeError, match="is a link to"):
        stream_merge(pair, SETTING, tmp_path / "other")


def test_weights_may_be_links(folder: Path, tmp_path: Path) -> None:
    plain = Checkpoint.open(stream_merge(Pair.read(folder), SETTING, tmp_path / "plain"))
    for role in ("base", "vlm", "expert"):
        file = folder / role / "model.safetensors"
        shutil.move(file, tmp_path / f"{role}.safetensors")
        file.symlink_to(tmp_path / f"{role}.safetensors")
    out = stream_merge(Pair.read(folder), SETTING, tmp_path / "out")
    assert not (out / "model.safetensors").is_symlink()
    linked = Checkpoint.open(out)
    assert all(torch.equal(plain.tensor(name), linked.tensor(name)) for name in plain.tensors)
