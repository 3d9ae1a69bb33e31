import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic

from landscapes.errors import UnwritableError
from landscapes.files import replacing, replacing_folder


def test_replaces_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    for content in ("old", "new"):
        with replacing(target) as temporary:
            temporary.write_text(content)
            assert not target.exists() or target.read_text() == "old"
        assert target.read_text() == content
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fail() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
import synthetic
from landscapes import files

def killed(table, where, **options):
    Path(where).write_bytes(b"PAR1 and then nothing")
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "writing":
    files.pq.write_table = killed
else:
    Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
synthetic.record(Path(sys.argv[1]), seed=1)
"""


@pytest.mark.parametrize("moment", ["writing", "renaming"])
def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_write_clears_up(tmp_path: Path, moment: str) -> None:
    grid = synthetic.record(tmp_path) / "grid.parquet"
    before = grid.read_bytes()
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert grid.read_bytes() == before
    (left,) = grid.parent.glob(".grid.parquet.*.tmp")
    os.utime(left, (0, 0))  # the writer is long dead
    synthetic.record(tmp_path, seed=1)
    assert grid.read_bytes() != before
    assert sorted(os.listdir(grid.parent)) == ["card.yaml", "grid.parquet", "outcomes.parquet"]


def test_two_writers_of_one_file_do_not_meet_and_no_link_is_followed(tmp_path: Path) -> None:
    target, other = tmp_path / "file", tmp_path / "other"
    other.write_text("theirs")
    (tmp_path / ".file.tmp").symlink_to(other)
    with replacing(target) as one, replacing(target) as another:
        assert one != another
        one.write_text("one")
        another.write_text("another")
    assert (target.read_text(), other.read_text()) == ("one", "theirs")
    target.unlink()
    target.symlink_to(other)
    with replacing(target) as one:
        one.write_text("new")
    assert (target.read_text(), target.is_symlink(), other.read_text()) == ("new", False, "theirs")


def test_a_folder_is_not_made_through_a_link(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / ".replacing").symlink_to(elsewhere)
    with pytest.raises(UnwritableError, match="is a link"):
        write_folder(root, "new")
    assert list(elsewhere.iterdir()) == []


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    def write() -> None:
        with replacing(tmp_path / "file" / "grid.parquet") as temporary:
            temporary.write_text("")

    with pytest.raises(UnwritableError, match=r"file/grid\.parquet cannot be written \("):
        write()


def write_folder(root: Path, content: str) -> None:
    with replacing_folder(root, "pair/method") as folder:
        (folder / "file").write_text(content)


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for content in ("old", "new"):
        write_folder(tmp_path / "root", content)
        assert (tmp_path / "root/pair/method/file").read_text() == content
    assert sorted(os.listdir(tmp_path / "root")) == [".replacing.lock", "pair"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    def fail(name: str) -> None:
        with replacing_folder(tmp_path, name) as folder:
            (folder / "file").write_text("half")
            raise RuntimeError("in the middle")

    write_folder(tmp_path, "old")
    for name in ("pair/method", "another/method"):
        with pytest.raises(RuntimeError, match="in the middle"):
            fail(name)
    assert (tmp_path / "pair/method/file").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == [".replacing.lock", "pair"]


KILLED_FOLDER = """
import os, signal, sys
from pathlib import Path
from landscapes.files import replacing_folder

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

rename = Path.rename
def once(self, target):
    rename(self, target)
    kill()

if sys.argv[2] == "between":
    Path.rename = once
with replacing_folder(Path(sys.argv[1]), "pair/method") as folder:
    (folder / "file").write_text("new")
    if sys.argv[2] == "writing":
        kill()
"""


@pytest.mark.parametrize("moment", ["writing", "between"])
def test_the_next_writer_puts_back_and_clears_up_after_a_kill(tmp_path: Path, moment: str) -> None:
    write_folder(tmp_path, "old")
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED_FOLDER, str(tmp_path), moment], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "pair/method").exists() == (moment == "writing")
    with replacing_folder(tmp_path, "another/method") as folder:
        (folder / "file").write_text("")
    assert (tmp_path / "pair/method/file").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == [".replacing.lock", "another", "pair"]


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnwritableError, match=r"file/pair/method cannot be written \("):
        write_folder(tmp_path / "file", "")
