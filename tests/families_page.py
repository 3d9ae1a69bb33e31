"""Writes docs/families.md: which families of VLMs do what, as their tests say.

    python tests/families_page.py [--workers 2] [--kept FILE]

Runs the tests of every family and puts what they showed into a table. It is written only where all passed and nothing
was skipped, so that what some families need (extra vision) must be installed. Tests that passed are kept in a file as
they end, and are not run again: a run that was cut short, or in which one failed, goes on.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "families.md"
TESTS = ("tests/hpo_bench/merging/test_backbones.py", "tests/hpo_bench/tuning/test_families.py")
_READS = "test_the_page_has_every_family_and_no_failure"
COLUMNS = {
    "found": "language found",
    "exact": "merge exact",
    "doctor": "doctor",
    "self-test": "self-test",
    "tuned": "tuning finds the truth",
    "export": "export reproduces",
    "loads": "loads",
}
"""What tests record, and what the page calls it."""
_BY_LAYOUT = ("found", "exact")
_HEAD = """# Families of models

What is shown for {count} layouts of VLMs, by transformers {version}, with embeddings tied to the head and not, as
hubs store it and by its names in memory. Models are tiny and of random weights; processors, tokenizers and chat
templates are of the family's own kind. This page is written by `python tests/families_page.py`, from what tests record.

- **language found**: the VLM's language tensors are found by its base without hints, each is merged or kept, and
  nothing else is; **merge exact**: Task Arithmetic equals the formula, computed from the checkpoints as transformers
  loads them, and all else is the VLM's, bit for bit;
- **doctor** says that the three fit; **self-test**: a re-merge in place equals mergekit's arithmetic;
- **tuning finds the truth**: answers of one merge, asked in transformers' own way, are the right ones; that
  merge then scores 1, the base VLM below .9, and tuning comes back to .9 or more;
- **export reproduces**: the exported folder gives the answers of its trial; **loads**: `from_pretrained` reads it, its
  logits are those of the live merge, bit for bit, and what was tied is tied.

"""


class _Records:
    """What passed tests record with `record_property("families", [name, tied, step])`, by test, kept in a file."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self.passed: dict[str, list] = json.loads(kept.read_text()) if kept.is_file() else {}
        self.skipped: list[str] = []

    @property
    def seen(self) -> dict[tuple[str, str], set[bool]]:
        """For a family and a step, whether with tied embeddings and without."""
        seen: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for name, tied, step in (record for records in self.passed.values() for record in records):
            seen[name, step].add(tied)
        return seen

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid.rpartition("[")[2].rstrip("]"))
        if report.when == "call" and report.passed:
            self.passed[report.nodeid] = [record for key, record in report.user_properties if key == "families"]
            self._kept.write_text(json.dumps(self.passed))


def table(seen: dict[tuple[str, str], set[bool]]) -> str:
    """The table in Markdown: a row a family."""
    import backbones
    import families

    lines = [
        f"| family | language model | {' | '.join(COLUMNS.values())} | needs |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for name, family in backbones.FAMILIES.items():
        ties = {False} if name == "mllama" else {False, True}
        cells = []
        for column in COLUMNS:
            steps = [f"{column}-{layout}" for layout in backbones.LAYOUTS] if column in _BY_LAYOUT else [column]
            cells.append("yes" if all(seen[name, step] == ties for step in steps) else "no")
        needs = ", ".join(families.FAMILIES[name].needs)
        lines.append(f"| {family.vlm} ({name}) | {family.text} | {' | '.join(cells)} | {needs} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the tests and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "hpo-bench-families.json")
    given = parser.parse_args()
    os.environ["HPO_BENCH_ALL"] = "1"
    import pytest
    import transformers

    os.chdir(ROOT)
    records = _Records(given.kept)
    # What reads the page cannot pass before a new family stands in it.
    before = [f"--deselect={test}" for test in (*records.passed, f"{TESTS[-1]}::{_READS}")]
    code = pytest.main(["-q", "-n", str(given.workers), *before, *TESTS], plugins=[records])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or records.skipped:
        print(f"nothing is written: tests failed, or were skipped: {', '.join(records.skipped)}")  # noqa: T201
        return 1
    rows = table(records.seen)
    count = len(rows.splitlines()) - 2
    PAGE.write_text(_HEAD.format(version=transformers.__version__, count=count) + rows, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
