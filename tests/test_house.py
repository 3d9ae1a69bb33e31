"""The house rules: lint, format, types, and floors that only look down."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "tool",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("basedpyright",),
        ("lint-imports", "--no-cache"),
    ],
    ids=" ".join,
)
def test_tool_finds_nothing(tool: tuple[str, ...]) -> None:
    done = subprocess.run([str(BIN / tool[0]), *tool[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_house_has_the_rooms_its_owner_asked_for() -> None:
    rooms = ["pyproject.toml", "hpo_bench", "landscapes", "optimizers", "surrogates", "notebooks", "tests", "Makefile"]
    assert [room for room in rooms if not (ROOT / room).exists()] == []


def test_every_command_helps_with_examples() -> None:
    from click.testing import CliRunner

    from hpo_bench.cli import COMMANDS, cli

    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
    for name in COMMANDS:
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert f"hpo-bench {name}" in shown.output, f"{name} --help has no example"
