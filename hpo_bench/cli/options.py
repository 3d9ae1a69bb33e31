"""Options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hpo_bench.display.printing import say
from hpo_bench.files import folder_of
from surrogates.nearest import offer


class Group(click.Group):
    """Commands, of which the nearest is named where there is none of the name that was typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show what commands there are where none is named."""
        if not args and not ctx.resilient_parsing:
            say(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names, and the other arguments."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            raise click.UsageError(f"no command is called {name!r}; {offer(name, known)}", ctx)
        return super().resolve_command(ctx, args)


class Choice(click.Choice[str]):
    """One of several words, of which the nearest is named where another was typed."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word."""
        known = list(map(str, self.choices))
        if value not in known:
            self.fail(f"{value!r} is not known; {offer(value, known)}", param, ctx)
        return str(value)


class Money(click.FloatRange):
    """Dollars, finite and not negative: NaN or infinity would lift every limit."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


PRICE = click.option("--price", type=Money(), default=0.0, help="Dollars that an hour of a GPU costs.")

PAIRS = click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    default=Path("nano"),
    show_default=True,
    metavar="DIR",
    help="Folder where `hpo-bench nano build` put its pairs.",
)
LANDSCAPES_DIR = click.option(
    "--landscapes-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Recorded grids of your own, as PAIR/METHOD/{grid.parquet,card.yaml}.  [default: those shipped]",
)
JOBS = click.option(
    "-j", "--jobs", type=click.IntRange(1, 1024), metavar="N", help="Worker processes.  [default: one a core]"
)
THREADS = click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads of each process."
)
TRUST_REMOTE_CODE = click.option(
    "--trust-remote-code", is_flag=True, help="Run code that comes with the VLM, if its pair.yaml asks for it."
)

PAGE_FOLDER = click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where page and figures go.  [default: with the runs]"
)


def runs_folder(command: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Where a command stores runs as they are made."""
    return click.option(
        "--results",
        type=click.Path(path_type=Path),
        default=folder_of(command),
        show_default=True,
        metavar="DIR",
        help="Where runs are kept; what is there is not made again.",
    )


def a_pair(function: click.decorators.FC) -> click.decorators.FC:
    """PAIR, or --base, --vlm and --expert, and where built pairs lie: what `hpo_bench.merging.find.given` takes."""
    for option in (
        PAIRS,
        click.option("--expert", metavar="PLACE", help="Expert language model."),
        click.option("--vlm", metavar="PLACE", help="Vision-language model."),
        click.option("--base", metavar="PLACE", help="Base language model: a folder, or hf://owner/name."),
        click.argument("pair", required=False),
    ):
        function = option(function)
    return function
