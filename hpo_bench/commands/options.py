"""Options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path

import click


class Money(click.FloatRange):
    """Dollars, finite and not negative: NaN or infinity would lift every limit."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
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


def runs_folder(default: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Where runs are stored as they are made."""
    return click.option(
        "--results",
        type=click.Path(path_type=Path),
        default=Path(default),
        show_default=True,
        metavar="DIR",
        help="Where runs are kept; what is there is not made again.",
    )


def a_pair(function: click.decorators.FC) -> click.decorators.FC:
    """PAIR, or --base, --vlm and --expert, and where built pairs lie: what `hpo_bench.pairs.given` takes."""
    for option in (
        PAIRS,
        click.option("--expert", metavar="PLACE", help="Expert language model."),
        click.option("--vlm", metavar="PLACE", help="Vision-language model."),
        click.option("--base", metavar="PLACE", help="Base language model: a folder, or hf://owner/name."),
        click.argument("pair", required=False),
    ):
        function = option(function)
    return function
