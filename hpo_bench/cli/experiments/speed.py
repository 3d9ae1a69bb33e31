"""`hpo-bench speed`: how fast a re-merge is."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpo_bench.cli.options import DTYPE, JSON, PAIRS, RECORDED, THREADS, methods
from hpo_bench.cli.options import device as device_option
from hpo_bench.cli.types import Choice, NumberRange
from hpo_bench.display.console import PlainConsole, progress
from hpo_bench.display.printing import say

if TYPE_CHECKING:
    import torch

DEMO = "ja-llama"
EXAMPLES = """\b
Examples:
  hpo-bench speed                                     the shipped pair, against mergekit and a memory copy
  hpo-bench speed --shape 100M --json > speed.json    random weights in the shapes of a 100M Llama instead
  hpo-bench speed --shape 7B --device cuda            on a GPU: against a device copy of the same bytes
  hpo-bench speed --gpu-check --device cuda           and where the time of tuning a VLM of 7B goes there
"""


@click.command(epilog=EXAMPLES)
@click.argument("pair", required=False)
@click.option(
    "--gpu-check",
    is_flag=True,
    help="A pair of random weights in shapes of Qwen2.5-VL instead: loading, self-test, trials, memory, re-merges, "
    "vLLM; as Markdown.  [default shape: 7B on a GPU, else 1M]",
)
@click.option(
    "--shape", "shapes", multiple=True, type=Choice(["1M", "10M", "100M", "7B"]),
    help="Random weights in the shapes of a Llama; repeatable; beside PAIR, if one is named.",
)  # fmt: skip
@methods("all three", known=RECORDED)
@device_option("cpu")
@DTYPE
@PAIRS
@click.option(
    "--mergekit",
    "ways",
    multiple=True,
    type=Choice(["in-process", "run-merge", "command", "none"]),
    default=("in-process", "run-merge", "command"),
    help="Which of mergekit's ways to time (on a CPU); by default all three.",
)
@click.option(
    "--seconds", type=NumberRange(min=0), default=3.0, show_default=True,
    help="Time a contender about this long; three repeats at least.",
)  # fmt: skip
@THREADS
@JSON
def command(
    *,
    pair: str | None,
    gpu_check: bool,
    shapes: tuple[str, ...],
    methods: tuple[str, ...],
    device: str | None,
    dtype: str | None,
    pairs: Path,
    ways: tuple[str, ...],
    seconds: float,
    threads: int,
    as_json: bool,
) -> None:
    """Time re-merging in place against mergekit and against a memory copy of the same bytes.

    A merge reads base, VLM and expert and writes the live model: the copy moves as many bytes, two models' worth read
    and two written. Contenders take turns, each repeat at another setting. Times are medians with quartiles; they hold
    for this machine and what else it did, their ratios for less.
    """
    import torch

    from hpo_bench.display.table import TextTable
    from hpo_bench.errors import UsageError
    from hpo_bench.experiments.cost import merge, subjects
    from hpo_bench.merging.devices import check_device
    from hpo_bench.merging.find import find_pair

    place = check_device(device or "cpu").type
    torch.set_num_threads(threads)
    if gpu_check:
        from hpo_bench.experiments.cost import gpu_check as checks
        from hpo_bench.experiments.cost.vlm import SHAPES

        shape = (shapes or ("7B" if place == "cuda" else "1M",))[-1]
        if shape not in SHAPES:
            raise UsageError(f"--gpu-check takes the shapes {' and '.join(SHAPES)}, not {shape}")
        heads = checks.columns(shape, device or place)
        say(TextTable(heads, ()).to_markdown())
        with progress().status("") as status:
            # Each at once: a machine that is lent for minutes may be taken back before the last one.
            for row in checks.check(shape, device or place, seconds=seconds, told=status.update):
                say(TextTable(heads, (row,)).to_markdown().splitlines()[-1])
        return
    kind = _dtype(dtype or ("float32" if place == "cpu" else "bfloat16"))
    contenders = [merge.COPY, merge.COMPILED if place == "cuda" else merge.RESIDENT]
    if place == "cpu":
        by_way = {"in-process": merge.IN_PROCESS, "run-merge": merge.RUN_MERGE, "command": merge.COMMAND}
        contenders += [by_way[way] for way in ways if way in by_way]
    makers = [partial(subjects.synthetic, shape, kind, place) for shape in shapes]
    if pair or not shapes:
        makers.insert(0, partial(subjects.of_pair, find_pair(pair or DEMO, pairs), kind, place))
    timings: list[merge.MergeTiming] = []
    with progress().status("") as status:
        for make in makers:
            timings += merge.measure(
                make(), methods or RECORDED, contenders, seconds=seconds, on_gpu=place == "cuda", told=status.update
            )
    if as_json:
        say(merge.as_json(timings), nl=False)
    else:
        PlainConsole().print(merge.table(timings).printed())


def _dtype(name: str) -> "torch.dtype":
    from hpo_bench.errors import UsageError
    from hpo_bench.merging.scope import DTYPES, check_dtype

    check_dtype(name)
    if (kind := DTYPES[name]) is None:
        raise UsageError("random weights are not stored; name a dtype such as float32")
    return kind
