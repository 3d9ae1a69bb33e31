"""`hpo-bench merge`, killed at any moment: the folder is whole or not there, and the same command makes it."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import killing
import pytest
import random_models
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText

from hpo_bench.cli import cli
from hpo_bench.errors import UsageError
from hpo_bench.merging.checkpoints.checkpoint import Checkpoint

FILES = {"config.json", "generation_config.json", "hpo_bench.json", "mergekit.yaml", "tokenizer.json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_models.build(tmp_path_factory.mktemp("killed"), "llava", seed=5)


def half_a_shard(_save: Callable[..., Any]) -> Callable[..., Any]:
    def save(tensors: Any, path: Path, **options: Any) -> None:
        save_file(tensors, path, **options)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        killing.die()

    return save


def merge(folder: Path, out: Path, *options: str) -> BaseException | None:
    given = ("--method", "ta", "--vl-weight", "0.6", "--exp-weight", "0.8", "--out", str(out), *options)
    return CliRunner().invoke(cli, ["merge", str(folder), *given]).exception


MOMENTS: dict[str, tuple[str, Callable[..., Callable[..., Any]]]] = {
    "scratch made": ("hpo_bench.merging.writing.folder.tempfile.mkdtemp", killing.after),
    "half a shard": ("hpo_bench.merging.writing.folder.save_file", half_a_shard),
    "two shards": ("hpo_bench.merging.writing.graft.save_tensors", partial(killing.after, calls=2)),
    "before provenance": ("hpo_bench.merging.writing.export.text", killing.before),
    "before its name": ("pathlib.Path.rename", killing.before),
    "after its name": ("pathlib.Path.rename", killing.after),
}


@pytest.mark.parametrize(("moment", "stream"), [*((moment, ("--stream",)) for moment in MOMENTS), ("two shards", ())])
def test_killed_a_merge_is_whole_or_not_there(
    folder: Path, moment: str, stream: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killing.run_killed(lambda: merge(folder, out, *stream), *MOMENTS[moment])
    for left in tmp_path.glob(".hpo-bench-unfinished-*"):
        os.utime(left, (0, 0))  # as if it were an hour ago
    if out.exists():
        assert isinstance(merge(folder, out, *stream), UsageError)
        assert merge(folder, tmp_path / "other", *stream) is None
    else:
        assert merge(folder, out, *stream) is None
    assert {path.name for path in tmp_path.iterdir()} - {"other"} == {"out"}
    assert {path.name for path in out.iterdir()} >= FILES
    written = Checkpoint.open(out)
    model: Any = AutoModelForImageTextToText.from_pretrained(out, dtype="auto", use_safetensors=True)
    assert set(written.files) == {path.name for path in out.glob("*.safetensors")}
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
