"""`hpo-bench landscapes add` and `remove`: grids of the user's own."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo_bench.cli.options import LANDSCAPES_DIR, out
from hpo_bench.cli.types import Choice, Read
from hpo_bench.display.printing import say
from landscapes.errors import UnknownLandscapeError
from landscapes.terms import DOMAINS, ELSEWHERE, METHODS, OWN, TIERS

if TYPE_CHECKING:
    from landscapes.landscape import Landscape

Space = tuple[dict[str, tuple[float, float] | None], dict[str, frozenset[str]]]
"""The ranges of hyperparameters, and which of them are log or int."""
WIDER = 1.1
"""So many times as wide as what was recorded, a named range is told of; random designs hardly reach its ends."""

ADDING = """\b
Examples:
  hpo-bench landscapes add sweep.csv --space "lr=0..1,density=0.1..1" --metric accuracy
  hpo-bench landscapes add trials.parquet --space "a,b,c" --metric loss --minimise --name mine/trials
  hpo-bench landscapes add sweep.csv --space "a,b" --metric f1 --error f1_se --examples 500 --split part
  hpo-bench landscapes add wandb.csv --space "model.lr=1e-6..1e-1 log,layers int" --metric eval/acc --drop-failed
  hpo-bench landscapes add answers.csv --space "lr" --example id --score correct --split part
  hpo-bench landscapes add tuning/my-study                       the trials of `hpo-bench tune`
  hpo-bench landscapes check sweep
  hpo-bench run -l sweep
"""
REMOVING = """\b
Examples:
  hpo-bench landscapes remove sweep/sweep
  hpo-bench landscapes remove mine/trials --landscapes-dir elsewhere --yes
  hpo-bench landscapes list --landscapes-dir my-landscapes       what there is to be removed
"""


def _space(text: str) -> Space:
    from landscapes.importing import parse_kinds, parse_space

    return parse_space(text), parse_kinds(text)


def _examples(text: str) -> int | str:
    from landscapes.importing import parse_examples

    return parse_examples(text)


@click.command(epilog=ADDING)
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--space",
    type=Read("TEXT", _space),
    metavar="TEXT",
    help='Columns of the hyperparameters, 1 to 6, with ranges, scales and kinds: "lr=1e-6..1 log,n int,b".',
)
@click.option("--metric", "--score", "metric", metavar="COLUMN", help="Column of the scores.")
@click.option("--minimise", is_flag=True, help="Lower scores are better: they are negated.")
@click.option("--error", metavar="COLUMN", help="Column of standard errors of the scores.")
@click.option(
    "--examples",
    type=Read("N|COLUMN", _examples),
    metavar="N|COLUMN",
    help="How many examples each score is a mean of.",
)
@click.option("--example", metavar="COLUMN", help="Column of examples' ids, if a row is one example at one setting.")
@click.option("--category", metavar="COLUMN", help="The category; of an example.  [default: one for all]")
@click.option("--split", metavar="COLUMN", help="Column that says validation or test.  [default: all validation]")
@click.option("--average", is_flag=True, help="Average rows of one setting, instead of refusing them.")
@click.option("--drop-failed", is_flag=True, help="Leave out failed and unfinished rows, and those without a score.")
@click.option("--state", metavar="COLUMN", help="Column that says how a row ended.  [default: state or status, if any]")
@click.option("--name", metavar="PAIR/METHOD", help="What to call it.  [default: TABLE/sweep]")
@click.option("--tier", type=Choice(TIERS), default=ELSEWHERE, show_default=True, help="How real the models are.")
@click.option("--domain", type=Choice(DOMAINS), default="other", show_default=True, help="Of what was scored.")
@click.option("--method", type=Choice(METHODS), default="other", show_default=True, help="Merge method, if any.")
@click.option("--benchmark", help="What was scored.  [default: the table's name]")
@click.option("--licence", default="not stated", show_default=True, help="Of the numbers.")
@click.option("--notes", default="", help="Anything else that its card should say.")
@click.option("--replace", is_flag=True, help="Replace a landscape of that name.")
@out("your landscapes; in the default one, every command finds them by name", default=OWN)
def add(
    table: Path,
    space: Space | None,
    metric: str | None,
    minimise: bool,
    error: str | None,
    examples: int | str | None,
    example: str | None,
    category: str | None,
    split: str | None,
    average: bool,
    drop_failed: bool,
    state: str | None,
    name: str | None,
    replace: bool,
    out: Path,
    **about: str | None,
) -> None:
    """Make a checked landscape of any recorded sweep.

    TABLE is a CSV file (commas, a head, decimal points) or parquet, one row an evaluation, in 1 to 6 hyperparameters;
    grids, random and low-discrepancy designs alike. The landscape spans what was recorded, and nothing beyond it.

    With --example a row is one example at one setting: scores, standard errors and numbers of examples follow, and what
    each example was answered is kept, by which noise is known and maxima are told from luck.

    Or TABLE is the folder of a study of `hpo-bench tune`: each merge method's complete trials become a landscape, and
    what the columns mean is known.
    """
    from hpo_bench.tuning.storage.url import typed
    from landscapes.importing import Reading, default_name, import_table

    given = {key: value for key, value in about.items() if value is not None}
    command = shlex.join(typed(sys.argv[1:]))
    if table.is_dir():
        from hpo_bench.tuning.outcome.to_landscape import add_study
        from hpo_bench.tuning.study import Study

        if (
            minimise
            or any(one is not None for one in (space, metric, error, examples, example, category, split, state))
            or (average or drop_failed)
        ):
            raise click.UsageError(f"{table} is a study, whose columns are known: leave out what tells them")
        folder = table.resolve()  # `.`, or a link, has another name than the study
        store = Study.open(folder.name, folder.parent).store
        for landscape in add_study(store, name=name, root=out, replace=replace, command=command, about=given):
            _tell(landscape, out, {})
        return
    if space is None or metric is None:
        needed = {"--space, the columns of the hyperparameters": space, "--score, that of the scores": metric}
        raise click.UsageError(f"a table needs {' and '.join(what for what, one in needed.items() if one is None)}")
    ranges, kinds = space
    reading = Reading(
        parameters=ranges, metric=metric, minimise=minimise, error=error, split=split, average=average,
        examples=examples, kinds=kinds, state=state,
        drop_failed=drop_failed, example=example, category=category,
    )  # fmt: skip
    landscape = import_table(
        table, reading, name=name or default_name(table), root=out, replace=replace, command=command, about=given
    )
    _tell(landscape, out, ranges)


def _tell(landscape: "Landscape", root: Path, named: Mapping[str, tuple[float, float] | None]) -> None:
    from hpo_bench.display.landscape_map import caption
    from landscapes.importing import asks_for_log

    say(f"{root / landscape.name}: {len(landscape.grid)} settings. {caption(landscape)}")
    if landscape.card.notes:
        say(landscape.card.notes)
    for parameter, values in zip(landscape.space.parameters, landscape.grid.X.T, strict=True):
        low, high = named.get(parameter.name) or (parameter.low, parameter.high)
        if high - low > WIDER * (parameter.high - parameter.low):
            say(
                f"note: {parameter.name} was recorded from {parameter.low:g} to {parameter.high:g} alone, and that is "
                "the landscape's box, as a surrogate never extrapolates"
            )
        if parameter.scale == "linear" and asks_for_log(values):
            say(
                f"hint: {parameter.name} goes from {parameter.low:g} to {parameter.high:g}, and most of it lies near "
                f"{parameter.low:g}, where a linear scale sees next to nothing; add it again with --replace and "
                f'"{parameter.name} log" in --space'
            )
    elsewhere = "" if root == OWN else f" --landscapes-dir {shlex.quote(str(root))}"
    say(f"next: hpo-bench landscapes check {landscape.name}{elsewhere}")
    say(f"      hpo-bench run -l {landscape.name}{elsewhere}")


@click.command(epilog=REMOVING)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@LANDSCAPES_DIR
def remove(name: str, yes: bool, landscapes_dir: Path | None) -> None:
    """Delete a landscape that was added from a table. Recordings of real merges are left alone."""
    from landscapes import catalogue
    from landscapes.importing import remove as delete

    root = landscapes_dir or OWN
    try:
        folder = catalogue.find(name, root)
    except UnknownLandscapeError as error:
        if name in catalogue.names():
            raise click.UsageError(f"{name} ships with the package and stays; only your own can be removed") from error
        raise
    if not yes and not click.confirm(f"delete {folder}?"):
        say("nothing is deleted")
        sys.exit(1)
    say(f"{delete(name, root)} is deleted")
