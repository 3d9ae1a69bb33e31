"""Options that several commands share: one name, meaning and default each, whatever the command.

What differs between commands stands behind a semicolon in an option's help, or in brackets as its default.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from hpo_bench.cli.types import Choice, Number, NumberRange, Place, Whole, Written
from hpo_bench.display.printing import say
from hpo_bench.files import RESULTS, folder_of
from surrogates.spelling import offer


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


Decorator = Callable[[click.decorators.FC], click.decorators.FC]
FOLDER = Place()
PRICE = click.option("--price", type=NumberRange(min=0), default=0.0, help="Dollars that an hour of a GPU costs.")
PUBLISHED = click.option(
    "--published", type=Number(), metavar="SCORE",
    help="The base VLM's published score, from 0 to 100; more than 3 standard errors away from ours is told.",
)  # fmt: skip
GPU_HOURS = click.option(
    "--gpu-hours", type=Number(),
    help="At most so many hours of a GPU (or of the CPU where there is none), for all but loading models: trials, what "
    "they are compared with, questions before and answers shown.",
)  # fmt: skip
DOLLARS = click.option(
    "--dollars", type=Number(), help="At most so much money, for GPUs and judges together, for all of that."
)
PAIRS = click.option(
    "--pairs", type=FOLDER, default=Path("nano"), show_default=True, metavar="DIR",
    help="Folder where `hpo-bench nano build` puts its pairs.",
)  # fmt: skip
LANDSCAPES_DIR = click.option(
    "--landscapes-dir", type=FOLDER, metavar="DIR",
    help="Recorded grids of your own, as PAIR/METHOD/{grid.parquet,card.yaml}.  [default: those shipped]",
)  # fmt: skip


def optimizers_begun(_context: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """For a shell that completes: the optimisers that begin so."""
    from optimizers.registry import REGISTRY

    return [name for name in REGISTRY.names() if name.startswith(incomplete)]


def landscapes_begun(context: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """For a shell that completes: the landscapes that begin so, in the folder that the line names, if it does."""
    from landscapes import catalogue
    from landscapes.errors import LandscapeError

    try:
        known = catalogue.names(context.params.get("landscapes_dir"))
    except LandscapeError:
        return []
    return [name for name in known if name.startswith(incomplete)]


PATTERNS = click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=landscapes_begun)
LANDSCAPES = click.option(
    "-l", "--landscape", "landscapes", multiple=True, metavar="PATTERN", shell_complete=landscapes_begun,
    help="Landscapes by name, pair or method, with * and ?, or by tier; repeatable.  [default: all; of two boxes the "
    "wide one]",
)  # fmt: skip
OPTIMIZERS = click.option(
    "-o", "--optimizer", "optimizers", multiple=True, metavar="NAME", shell_complete=optimizers_begun,
    help="An optimiser by name, or your own as module:Class; repeatable.  [default: all built in]",
)  # fmt: skip
SURROGATE = click.option("--surrogate", metavar="NAME", help="A radial kernel, or gp.  [default: thin_plate_spline]")
BUDGET = click.option(
    "--budget", type=Whole(1, 1000), metavar="N",
    help="Evaluations of each run.  [default: 40 in 2-D, 60 in 3-D]",
)  # fmt: skip


def _one_a_core(_context: click.Context, _param: click.Parameter, jobs: int | None) -> int:
    import joblib  # not for --help

    return jobs or joblib.cpu_count()


JOBS = click.option(
    "-j", "--jobs", type=Whole(1, 1024), metavar="N", callback=_one_a_core,
    help="Worker processes.  [default: one a core]",
)  # fmt: skip
WORKERS = click.option(
    "-w", "--workers", type=Whole(1, 256), default=1, show_default=True, metavar="N",
    help="Processes, each with the models in memory.",
)  # fmt: skip
RAY_ADDRESS = click.option(
    "--ray-address", metavar="ADDRESS",
    help="Work on a Ray cluster: auto, HOST:PORT, or local for one of this machine's cores.",
)  # fmt: skip
THREADS = click.option(
    "--threads", type=Whole(min=1), default=1, show_default=True, metavar="N",
    help="CPU threads of each process.",
)  # fmt: skip
DTYPE = click.option("--dtype", metavar="TYPE", help="float32, bfloat16 or stored.  [default: as the pair says]")
MASK_SEED = click.option(
    "--mask-seed", type=Whole(min=0), default=0, show_default=True, metavar="N", help="Seed of DARE's masks."
)
METHOD = click.option(
    "-m", "--method", required=True, metavar="METHOD", help="Merge method by name; or your own as module:Class."
)
SAMPLES = click.option(
    "--samples", type=Whole(min=2), default=500, show_default=True, metavar="N",
    help="Calibration samples of each model, at most, for methods that need them.",
)  # fmt: skip
STUDIES = click.option(
    "--studies", type=FOLDER, default=Path("tuning"), show_default=True, metavar="DIR",
    help="Folder in which each study has its own.",
)  # fmt: skip
TRUST_REMOTE_CODE = click.option(
    "--trust-remote-code", is_flag=True, help="Run code that comes with the VLM, if its pair.yaml asks for it."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, and no tables.")
RECORDED = ("ta", "dare", "ties")
"""Merge methods whose grids the study records."""


def methods(default: str, *, known: Sequence[str] = ()) -> Decorator:
    """Several merge methods.

    Args:
        default: What none named means, in words.
        known: The only ones there may be, if the command does not look them up itself.
    """
    which = ", ".join(known) or "or your own as module:Class"

    def check(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
        convert = Choice(known).convert if known else None
        return tuple(convert(name, param, ctx) for name in names) if convert else names

    return click.option(
        "-m", "--method", "methods", multiple=True, metavar="METHOD", callback=check,
        help=f"Merge method by name; {which}; repeatable.  [default: {default}]",
    )  # fmt: skip


def device(default: str = "a GPU, else the CPU") -> Decorator:
    """Where to compute, and what that is by default in words."""
    return click.option("--device", metavar="NAME", help=f"cpu, cuda, cuda:1, ...  [default: {default}]")


def seeds(default: int | None, *, what: str, shown: str | None = None) -> Decorator:
    """How often a thing is done, each time with a seed of its own.

    Args:
        default: As a number; None where it hangs on other options.
        what: The thing.
        shown: The default in words, where it is None.
    """
    return click.option(
        "--seeds", type=Whole(1, 10_000), default=default, metavar="N",
        help=f"Repetitions, each with a seed of its own; {what}.  [default: {shown or default}]",
    )  # fmt: skip


def examples_each(where: str = "", *, default: str) -> Decorator:
    """How many examples a trial answers.

    Args:
        where: With what it goes, in words.
        default: In words.
    """
    return click.option(
        "--examples-each", type=Whole(min=1), metavar="N",
        help=f"How many of the examples each trial answers{where}.  [default: {default}]",
    )  # fmt: skip


def suites(names: str) -> Decorator:
    """Suites, which there are in words."""
    return click.option("-s", "--suite", "suites", multiple=True, metavar="NAME", help=f"A suite; {names}; repeatable.")


def _read(ctx: click.Context, param: click.Parameter, typed: str) -> str:
    return typed.replace("\\n", "\n")


def all_of(*options: Decorator) -> Decorator:
    """Several options, in the order in which help shows them."""

    def decorate(function: click.decorators.FC) -> click.decorators.FC:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


COLUMNS = all_of(
    click.option(
        "--question", metavar="COLUMN", default="", callback=_read, help="The question, as text.  [default: question]"
    ),
    click.option(
        "--answer", metavar="COLUMN", default="", help="The right answer, or a list of them.  [default: answer]"
    ),
    click.option(
        "--image", metavar="COLUMN", multiple=True,
        help="Pictures; repeatable; '' for none.  [default: image, images, or image_1, image_2, ...]",
    ),
    click.option(
        "--choices", metavar="COLUMN", multiple=True,
        help="Choices, in one column or one each; repeatable; '' for none.  [default: choices, options, or A, B, ...]",
    ),
    click.option("--category", metavar="COLUMN", default="", help="The category.  [default: category]"),
    click.option("--id", metavar="COLUMN", default="", help="The id.  [default: id, else the content's hash]"),
    click.option(
        "--annotations", metavar="FILE", default="", help="A second file beside the first, matched by the id."
    ),
    click.option(
        "--limit", type=Whole(min=1), metavar="N",
        help="At most so many examples, drawn by a hash of their ids.",
    ),
)  # fmt: skip
"""What a table of examples calls its columns, in place of what a pair.yaml says: what `Columns.named` takes."""


def out(what: str, *, default: Path | None = None, shown: str | None = None, required: bool = False) -> Decorator:
    """A folder to write.

    Args:
        what: What comes into it.
        default: Where by default.
        shown: The same in words, where it is None.
        required: Whether there is no default.
    """
    end = f"  [default: {default or shown}]" if default or shown else ""
    return click.option(
        "--out", type=Written(folder=True), default=default, required=required, metavar="DIR",
        help=f"Folder to write; {what}.{end}",
    )  # fmt: skip


PAGE_FOLDER = out("page and figures", shown="with the runs")


def runs_folder(command: str = "") -> Decorator:
    """Where a command stores runs as they are made, by default in a folder of its own."""
    return click.option(
        "--results", type=Written(folder=True), default=folder_of(command) if command else RESULTS, show_default=True,
        metavar="DIR",
        help="Folder of runs; what is there is not made again.",
    )  # fmt: skip
