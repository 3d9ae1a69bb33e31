"""The wheel, as a user gets it: built, installed where nothing else of ours is, and run from there."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("optimizers", "surrogates", "landscapes", "hpo_bench")
# Servers that run in environments of their own import what is installed only there.
ELSEWHERE = "hpo_bench.peers.servers."


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # From a copy of what git knows, so that neither a stale build folder nor an ignored file gets in.
    source = out / "source"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name.split("/")[0] not in ("docs", "notebooks", "tests"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*build, "--wheel-dir", str(out), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel; its dependencies are borrowed, none of the project's own code is."""
    where = tmp_path_factory.mktemp("environment")
    venv.create(where, with_pip=False, symlinks=True)
    python = where / "bin" / "python"
    site = Path(
        subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()
    )  # fmt: skip
    # A path line, unlike a site folder, does not run the `.pth` files by which an editable install is found.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    return where / "bin"


def _run(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run([*arguments], cwd=cwd, env=clean, capture_output=True, text=True)


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    known = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    expected = {name for name in known.stdout.splitlines() if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(expected - found) == []
    assert sorted(found - expected) == []


PROGRAM = f"""
import importlib, pkgutil, sys
for top in {PACKAGES!r}:
    package = importlib.import_module(top)
    assert {str(ROOT)!r} not in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, top + "."):
        if not module.name.startswith({ELSEWHERE!r}) and not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                if (error.name or "").split(".")[0] in {PACKAGES!r}:
                    raise  # one of ours is not where it is said to be; an extra that is not installed is another matter
from hpo_bench.cli.tree import run
for words in (
    "run -o random -o gp-bo -l ja-llama/ta --seeds 1 --budget 5 --no-report",
    "doctor ja-llama",
    "merge ja-llama -m ta --vl-weight 0.6 --exp-weight 0.8 --out merged",
):
    assert run(words.split()) == 0, words
"""


def test_every_module_is_imported_and_commands_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """In one process, as PyTorch takes seconds to import."""
    done = _run(installed, str(installed / "python"), "-c", PROGRAM, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / "summary.json").is_file()
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    done = _run(installed, str(installed / "hpo-bench"), "--version", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
