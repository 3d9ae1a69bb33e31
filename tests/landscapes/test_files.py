import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic

from landscapes.errors import UnwritableError
from landscapes.files import replacing


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
    assert (grid.parent / ".grid.parquet.tmp").exists()
    synthetic.record(tmp_path, seed=1)
    assert grid.read_bytes() != before
    assert sorted(os.listdir(grid.parent)) == ["card.yaml", "grid.parquet", "outcomes.parquet"]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    def write() -> None:
        with replacing(tmp_path / "file" / "grid.parquet") as temporary:
            temporary.write_text("")

    with pytest.raises(UnwritableError, match=r"file/grid\.parquet cannot be written \("):
        write()
