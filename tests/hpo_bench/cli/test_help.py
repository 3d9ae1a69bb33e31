"""Help, and what is wrong with options, at once: nothing heavy is imported for either."""

import json
import subprocess
import sys

import click

from hpo_bench.cli.tree import cli

HEAVY = (
    "torch",
    "pandas",
    "scipy",
    "numpy",
    "optuna",
    "matplotlib",
    "transformers",
    "sqlalchemy",
    "pyarrow",
    "sklearn",
)
SECONDS = 0.5
"""Of the processor, over an interpreter that does nothing."""
# Every command in one fresh interpreter: what none of them imports, all of them together do not.
ASK = """
import json, sys, time
from hpo_bench.cli import main
told, before = {}, set(sys.modules)
for arguments in json.loads(sys.argv[1]):
    begin = time.process_time()
    try:
        main(arguments)
    except SystemExit as ended:
        heavy = [name for name in json.loads(sys.argv[2]) if name in sys.modules and name not in before]
        told[" ".join(arguments)] = [ended.code, heavy, time.process_time() - begin]
        before |= set(sys.modules)
print("\\n" + json.dumps(told))
"""


def every_command(group: click.Group = cli, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command, of groups as well, by the tree itself."""
    context, found = click.Context(group), [path]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += every_command(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


def test_nothing_heavy_is_imported_for_help_or_for_a_wrong_option() -> None:
    asked = [[*path, option] for path in every_command() for option in ("--help", "--no-such-option")]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(asked), json.dumps(HEAVY)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == len(asked) > 40
    assert {words: heavy for words, (_, heavy, _) in told.items() if heavy} == {}
    assert {words: code for words, (code, _, _) in told.items() if code != (2 if "--no-such" in words else 0)} == {}
    assert {words: seconds for words, (_, _, seconds) in told.items() if seconds > SECONDS} == {}
