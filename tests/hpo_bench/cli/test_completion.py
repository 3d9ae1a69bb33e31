"""What a shell is told that completes a line."""

import pytest
from click.shell_completion import ShellComplete

from hpo_bench.cli.tree import cli


@pytest.mark.parametrize(
    ("before", "begun", "expected"),
    [
        (["run", "-o"], "p", ["pattern-search", "powell", "pareto-bo"]),
        (["tune", "-o"], "gp", ["gp-bo"]),
        (["run", "-l"], "ja-llama/ta", ["ja-llama/ta", "ja-llama/ta-wide"]),
        (["landscapes", "show"], "ja-llama/ta", ["ja-llama/ta", "ja-llama/ta-wide"]),
        (["landscapes", "check", "--landscapes-dir", "nowhere"], "ja", []),
        ([], "com", ["compare"]),
    ],
)
def test_a_shell_completes_commands_optimisers_and_landscapes(
    before: list[str], begun: str, expected: list[str]
) -> None:
    found = ShellComplete(cli, {}, "hpo-bench", "_HPO_BENCH_COMPLETE").get_completions(before, begun)
    assert [one.value for one in found] == expected
