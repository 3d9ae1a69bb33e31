"""One vocabulary: an option of one name is one thing, whatever the command."""

import inspect
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import click
import pytest

import hpo_bench as hb
from hpo_bench.cli.tree import cli
from hpo_bench.evaluation.reading.columns import OPTIONS

MAY_DIFFER = {
    ("--examples-each", "default"): "`tune` plans it, a replay takes what the landscape was tuned on",
    ("--out", "default"): "each command writes to a place of its own",
    ("--results", "default"): "each command keeps its runs in a folder of its own",
    ("--results", "type"): "`landscapes study` reads runs, the others write them",
    ("--seeds", "default"): "a study takes minutes, a run on a surrogate a hundredth of a second",
    ("--device", "default"): "one merge, made once, is made on the CPU, where most memory is",
    ("--method", "type"): "`merge` and `record` take one, the others several",
    ("--method", "default"): "`tune` has one, measurements take all, and a single merge asks for it",
    ("--category", "default"): "questions have a column of that name, outcomes have it if it is named",
    ("--optimizer", "type"): "`tune` takes one, the others several",
    ("--optimizer", "default"): "`tune` takes one, the others several",
}
"""What of an option hangs on the command, and why."""
ELSEWHERE = {
    ("landscapes add", "--method"): "one of the words on a card, which says of what method a table is",
}
"""Options that are left out."""


def every_option(group: click.Group = cli, above: click.Context | None = None) -> Iterator[tuple[str, click.Option]]:
    context = click.Context(group, parent=above, info_name=None if above is None else group.name)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {path}", option) for path, option in every_option(command, context))
        else:
            yield from ((name, one) for one in command.params if isinstance(one, click.Option) and not one.hidden)


def described(option: click.Option) -> dict[str, str]:
    """What an option is; of its help what stands before the first semicolon, and without its default."""
    context = click.Context(cli)
    bounds = [getattr(option.type, name, None) for name in ("min", "max", "choices")]
    kind = [type(option.type).__name__, *bounds]
    about, _, shown = (option.help or "").partition("  [")
    return {
        "names": " ".join(sorted(option.opts)),
        "type": f"{kind} {option.is_flag} {option.multiple}",
        "metavar": option.make_metavar(context),
        "help": about.partition(";")[0].rstrip("."),
        "default": f"{option.default if option.show_default else shown}",
    }


def test_options_of_one_name_are_one_thing() -> None:
    seen: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for path, option in every_option():
        name = max(option.opts, key=len)
        if (path, name) not in ELSEWHERE:
            seen[name][path] = described(option)
    differing = {}
    for name, commands in seen.items():
        for what in ("names", "type", "metavar", "help", "default"):
            found = {path: about[what] for path, about in commands.items()}
            if len(set(found.values())) > 1:
                differing[name, what] = found
    assert sum(len(commands) > 1 for commands in seen.values()) > 20
    assert {key: found for key, found in differing.items() if key not in MAY_DIFFER} == {}
    assert MAY_DIFFER.keys() <= differing.keys(), "what no longer differs needs no excuse"


@pytest.mark.parametrize(("path", "face", "own"), [
    ("run", hb.run_benchmark, {"coco", "no_report"}),
    ("merge", hb.merge, {"base", "vlm", "expert", "language_prefixes", "pairs", "others"}),
    ("plan", hb.plan, {*OPTIONS}),
    ("tune", hb.tune, {"demo", "origins", "dry_run", "published"}),
])  # fmt: skip
def test_an_option_is_an_argument_of_the_same_name_in_python(path: str, face: Any, own: set[str]) -> None:
    arguments = inspect.signature(face).parameters
    known = {*arguments, *(("vl_weight", "exp_weight", "density") if "parameters" in arguments else ())}
    assert {option.name for at, option in every_option() if at == path} - known == own


def test_every_option_has_help_that_ends_like_a_sentence() -> None:
    assert [(path, one.name) for path, one in every_option() if not one.help or "." not in one.help] == []
