"""A folder that a model cannot be written to is refused first; a killed or second writer harms nobody."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from hpo_bench.cli import cli
from hpo_bench.errors import MergeError, UsageError
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.writing.folder import check_free, finished_folder, save_tensors

WRITER = """
import sys, time
from pathlib import Path
from hpo_bench.merging.writing.folder import finished_folder
with finished_folder(Path(sys.argv[1])) as scratch:
    (scratch / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def link(to: str) -> Callable[[Path], str]:
    def make(here: Path) -> str:
        (here / "empty").mkdir()
        (here / "out").symlink_to(here / to)
        return "out"

    return make


def below_a_file(here: Path) -> str:
    (here / "afile").write_text("")
    return "afile/o"


def emptied(here: Path) -> str:
    (here / "stand").mkdir()
    os.chdir(here / "stand")
    return "."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link("empty"), "out is a link"),
        (link("nowhere"), "out is a link"),
        (below_a_file, r"afile/o cannot be made: \S+afile is not a folder"),
        (lambda _: "a" * 300, "cannot be used: File name too long"),
        (lambda _: "..", "exists already"),
        (emptied, r"\. is where you stand"),
    ],
)
def test_a_folder_that_cannot_be_had_is_refused_before_anything_is_loaded(
    make: Callable[[Path], str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("models were loaded")

    monkeypatch.setattr(LoadedPair, "load", refuse)
    monkeypatch.chdir(tmp_path)
    out = make(tmp_path)
    arguments = ["merge", "ja-llama", "-m", "ta", "--vl-weight", "1", "--exp-weight", "1", "--out", out]
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_no_model_is_written_into_a_checkpoint_it_is_made_of(shipped: Pair, tmp_path: Path) -> None:
    pair = Pair.read(Path(shutil.copytree(shipped.folder, tmp_path / "pair")))
    (tmp_path / "door").symlink_to(pair.vlm)
    setting = ["-m", "ta", "--vl-weight", "1", "--exp-weight", "1"]
    for out in (pair.vlm / "merged", pair.expert / "a" / "b", tmp_path / "door" / "merged"):
        arguments = ["merge", str(pair.folder), *setting, "--out", str(out)]
        with pytest.raises(UsageError, match=r"lies in .*, which is read for the merge"):
            CliRunner().invoke(cli, arguments, catch_exceptions=False)
        arguments = ["graft", "extract", str(pair.folder), "--out", str(out)]
        with pytest.raises(UsageError, match=r"lies in .*, which is read for the merge"):
            CliRunner().invoke(cli, arguments, catch_exceptions=False)
    arguments = ["graft", "onto", str(pair.folder), "--language", str(pair.base), "--out", str(pair.base / "new")]
    with pytest.raises(UsageError, match=r"lies in .*, which is read for the merge"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_a_mount_point_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "volume")
    (tmp_path / "volume").mkdir()
    with pytest.raises(UsageError, match=r"volume is a mount point, .*; name a folder inside it"):
        check_free(tmp_path / "volume")
    check_free(tmp_path / "volume" / "out")


def test_a_parent_that_may_not_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path)  # root may write anywhere
    with pytest.raises(UsageError, match=r"new/out cannot be made: \S+ is not a folder that you may write to"):
        check_free(tmp_path / "new" / "out")


def test_of_two_writers_the_first_to_end_has_the_name(tmp_path: Path) -> None:
    def write_while_another_does() -> None:
        with finished_folder(tmp_path / "out") as slow:
            (slow / "who").write_text("slow")
            with finished_folder(tmp_path / "out") as fast:
                (fast / "who").write_text("fast")
                assert slow.parent != fast.parent

    with pytest.raises(UsageError, match="exists already"):
        write_while_another_does()
    assert (tmp_path / "out" / "who").read_text() == "fast"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_takes_the_name_at_the_last_moment_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"), finished_folder(tmp_path / "out"):
        (tmp_path / "out").write_text("somebody's")
    assert (tmp_path / "out").read_text() == "somebody's"


def test_a_killed_writers_scratch_is_removed_by_the_next_and_a_running_ones_is_not(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / name)], stdout=subprocess.PIPE, text=True)
        for name in ("killed", "running")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
        writers[0].send_signal(signal.SIGKILL)
        writers[0].wait()
        assert len(list(tmp_path.iterdir())) == 2
        with finished_folder(tmp_path / "next") as scratch:
            (scratch / "whole").write_text("whole")
        left = [path for path in tmp_path.iterdir() if path.name != "next"]
        assert [path.read_text() for path in left[0].glob("model/*")] == ["half"]
        assert len(left) == 1
        writers[1].terminate()
        writers[1].wait()
        time.sleep(0.01)
        with finished_folder(tmp_path / "last"):
            pass
        assert {path.name for path in tmp_path.iterdir()} == {"next", "last"}
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_weights_have_the_permissions_of_any_new_file(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with finished_folder(tmp_path / "out") as scratch:
            save_tensors({"a": torch.zeros(2)}, scratch / "model.safetensors", metadata={"format": "pt"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out" / "model.safetensors").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == mode | (mode & 0o444) >> 2


FULL = """
import resource, sys, torch
from pathlib import Path
from hpo_bench.errors import MergeError
from hpo_bench.merging.writing.folder import finished_folder, save_tensors
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    with finished_folder(Path(sys.argv[1])) as scratch:
        save_tensors({"a": torch.zeros(1 << 16)}, scratch / "model.safetensors", metadata={"format": "pt"})
except MergeError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "out")], capture_output=True, text=True)
    assert "model.safetensors cannot be written: " in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


def test_any_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), finished_folder(tmp_path / "out"):
        raise KeyboardInterrupt
    with pytest.raises(MergeError, match="out cannot be written: No space left"), finished_folder(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_nothing_is_followed_or_removed_that_only_looks_like_an_abandoned_scratch(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    (precious / "model").mkdir(parents=True)
    (precious / "model" / "weights").write_text("mine")
    (precious / "lock").write_text("content of mine")
    (tmp_path / ".hpo-bench-unfinished-link").symlink_to(precious)
    half = tmp_path / ".hpo-bench-unfinished-half"
    (half / "model").mkdir(parents=True)
    (half / "lock").symlink_to(precious / "lock")
    with finished_folder(tmp_path / "out") as scratch:
        (scratch / "whole").write_text("whole")
    assert (precious / "lock").read_text() == "content of mine"
    assert (precious / "model" / "weights").read_text() == "mine"


def test_scratch_folders_have_names_that_nobody_can_foresee(tmp_path: Path) -> None:
    names = set()
    for number in range(3):
        with finished_folder(tmp_path / f"out-{number}") as scratch:
            names.add(scratch.parent.name)
            assert stat.S_IMODE(scratch.parent.stat().st_mode) == 0o700
    assert len(names) == 3
