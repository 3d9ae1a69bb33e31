"""`hpo-bench cost`: what tuning costs, and what it saves."""

import sys
from pathlib import Path

import click

from hpo_bench.cli.options import (
    JSON,
    PAIRS,
    RECORDED,
    THREADS,
    Group,
    device,
    methods,
    out,
    seeds,
)
from hpo_bench.cli.types import Whole
from hpo_bench.display.printing import say
from hpo_bench.files import folder_of

EXAMPLES = """\b
Examples:
  hpo-bench cost grid                             every nano pair that is here: full grid against tuning
  hpo-bench cost grid ja-llama -m ta --seeds 3
  hpo-bench cost trial --json > trial.json        a trial in memory against mergekit's merges on disk
  hpo-bench cost serving                          a trial by each evaluator
  hpo-bench cost serving --exports 20             vLLM in place against its fresh loads of 20 exports
"""


@click.group(cls=Group, epilog=EXAMPLES)
def command() -> None:
    """See what tuning costs, and what it saves."""


@command.command()
@click.argument("names", nargs=-1, metavar="[PAIR]...")
@methods("all three", known=RECORDED)
@seeds(1, what="studies of each pair and method")
@PAIRS
@out("page, figure, table and studies; a study that is finished is not made again", default=folder_of("cost"))
def grid(
    *,
    names: tuple[str, ...],
    methods: tuple[str, ...],
    seeds: int,
    pairs: Path,
    out: Path,
) -> None:
    """Compare the best of the recorded full grid with what tuning finds, by test score, merges and seconds.

    PAIR is the name of a nano pair; by default all that are built or shipped and have recorded grids. Interrupted, the
    same command goes on where it was.
    """
    from hpo_bench.display.console import PlainConsole, output
    from hpo_bench.display.words import bracketed
    from hpo_bench.experiments.cost import grid_page as page
    from hpo_bench.experiments.cost.grid import GridComparison, GridPlan, compare, recorded
    from hpo_bench.merging.find import choose
    from hpo_bench.tuning.storage.url import typed

    methods = methods or RECORDED
    chosen = choose(names, pairs)
    plan = GridPlan(
        pairs=chosen if names else recorded(chosen, methods),
        methods=methods,
        seeds=seeds,
        studies=out / "studies",
        built=pairs,
        command=typed(sys.argv[1:]),
    )

    def told(one: GridComparison) -> None:
        say(
            f"{one.pair}, {one.method}: {one.merges:.0f} tuned merges {100 * one.test:.1f}, best of {one.grid_merges} "
            f"on the grid {100 * one.grid_test:.1f}, difference {bracketed(one.interval, '+.1f', times=100)}"
        )

    found = compare(plan, PlainConsole(quiet=True), told)
    console = output()
    for title, content in (("By pair", page.by_pair(found)), ("By method", page.by_method(found))):
        console.print(content.printed(title=title))
    for note in page.notes(found, plan):
        console.print(note)
    say(f"page: {page.write_page(found, plan, out)}")


REPEATS = click.option(
    "--repeats", type=Whole(min=1), default=5, show_default=True, metavar="N",
    help="Trials of each kind to time.",
)  # fmt: skip


@command.command()
@click.argument("pair", default="ja-llama")
@methods("all three", known=RECORDED)
@REPEATS
@THREADS
@PAIRS
@JSON
def trial(
    *,
    pair: str,
    methods: tuple[str, ...],
    repeats: int,
    threads: int,
    pairs: Path,
    as_json: bool,
) -> None:
    """Time a trial of PAIR with the models in memory, against merges that mergekit writes to disk.

    A trial is a merge and the answers to all validation examples. All take turns in one run, at the same settings;
    times are medians, by the clock on the wall and by the processor's.
    """
    import torch

    from hpo_bench.display.console import output, progress
    from hpo_bench.experiments.cost import trial
    from hpo_bench.experiments.cost.turns import CLOCKS
    from hpo_bench.merging.find import find_pair

    torch.set_num_threads(threads)
    found = find_pair(pair, pairs)
    with progress().status("") as status:
        timings = list(trial.measure(found, methods or RECORDED, trials=repeats, told=status.update))
    if as_json:
        say(trial.as_json(found.name, timings), nl=False)
        return
    console = output()
    for clock in CLOCKS:
        console.print(trial.table(timings, clock).printed(title=f"{found.name}: by the {clock} clock"))
    for name, about in trial.ROUTES.items():
        console.print(f"{name}: {about}.")
    for timing in timings:
        if timing.unlike:
            console.print(
                f"{timing.method}, {timing.route}: {timing.unlike} of {timing.answers} answers are not the resident "
                "merge's."
            )


@command.command()
@click.argument("pair", default="ja-llama")
@REPEATS
@click.option(
    "--exports", type=Whole(min=1), metavar="N",
    help="Time nothing, and compare so many merges with vLLM on their exports, answer by answer.",
)  # fmt: skip
@device("cpu")
@THREADS
@PAIRS
def serving(
    *,
    pair: str,
    repeats: int,
    exports: int | None,
    device: str | None,
    threads: int,
    pairs: Path,
) -> None:
    """Time a trial of PAIR by each evaluator, and compare vLLM in place with vLLM on exported merges.

    A trial is a merge and the answers to all validation examples. All take turns in one run, at the same settings;
    times are medians, by the clock on the wall and by the processor's, whatever was started included. vLLM is found as
    the evaluator `vllm` finds it; it and lmms-eval are left out where they are not here.
    """
    import torch

    from hpo_bench.display.console import progress
    from hpo_bench.experiments.cost import serving
    from hpo_bench.experiments.cost.turns import settings
    from hpo_bench.merging.find import find_pair

    torch.set_num_threads(threads)
    found = find_pair(pair, pairs)
    if exports:
        for one in serving.compare(found, settings("ta", exports)):
            where = ", ".join(f"{name} {value:.3f}" for name, value in one.setting.parameters.items())
            say(f"{where}: score {one.score:.4f}, {one.same} of {one.total} answers are those of a fresh load")
        return
    with progress().status("") as status:
        timed = serving.measure(
            found,
            trials=repeats,
            device=device,
            told=status.update,
            left_out=lambda why: say(why, err=True),
        )
    say(serving.table(timed).to_markdown())
    for one in timed:
        say(f"- {one.route}: {serving.ROUTES[one.route]}.")
