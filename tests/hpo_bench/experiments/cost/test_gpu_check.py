"""What a GPU is to be asked in minutes runs small on a CPU: no figure here is one of a device."""

import re

from click.testing import CliRunner

from hpo_bench.cli import cli


def test_every_part_is_timed_and_told_in_markdown() -> None:
    result = CliRunner().invoke(cli, ["speed", "--gpu-check", "--seconds", "0.01", "--least", "2"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith("|")]
    rows = {cells[1].strip(): cells[2].strip() for cells in (line.split("|") for line in lines)}
    parts = {
        "three models drawn and written", "loaded, one after the other", "self-test of the re-merge",
        "a trial: re-merge", "a trial: answers", "re-merge, ta", "re-merge, dare", "re-merge, ties",
        "memory copy of the same bytes",
    }  # fmt: skip
    assert parts < rows.keys()
    for part in parts:
        assert float(re.match(r"[\d.e+-]+", rows[part])[0]) > 0, part
    assert rows["peak memory"].endswith(("GB", "MB", "GiB", "MiB"))
    ties = next(line for line in lines if "re-merge, ties" in line)
    assert re.search(r"× copy [\d.]+; once [\d.e-]+", ties)


def test_other_shapes_are_refused() -> None:
    result = CliRunner().invoke(cli, ["speed", "--gpu-check", "--shape", "10M"])
    assert "takes the shapes 1M and 7B, not 10M" in str(result.exception)
