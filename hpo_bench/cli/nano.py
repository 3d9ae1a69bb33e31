"""`hpo-bench nano`: tiny real VLM-LLM pairs, trained from scratch."""

import os
import platform
import time
from pathlib import Path

import click

from hpo_bench.cli.options import PAIRS, THREADS, Group
from hpo_bench.display.console import progress
from hpo_bench.display.printing import say
from hpo_bench.display.steps import Steps

EXAMPLES = """\b
Examples:
  hpo-bench nano list
  hpo-bench nano build ja-llama
  hpo-bench nano build --all --pairs /data/nano
"""

KERNELS = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
"""Has PyTorch, MKL and oneDNN add in one order on all x86 processors that have AVX2: with AVX-512, where there is some,
the same seed trains other weights."""


@click.group(cls=Group, epilog=EXAMPLES)
def command() -> None:
    """Train tiny real VLM-LLM pairs from scratch, on a CPU, in minutes."""


@command.command("list")
def list_pairs() -> None:
    """What pairs there are."""
    from hpo_bench.nano.recipes import PRETRAINED, RECIPES

    for recipe in (*RECIPES.values(), *PRETRAINED.values()):
        say(f"{recipe.pair:<20}{recipe.domain:<14}{recipe.benchmark:<16}{recipe.architecture}")


@command.command(epilog=EXAMPLES)
@click.argument("pair", required=False)
@click.option("--all", "everything", is_flag=True, help="All of them; pairs, built one after the other.")
@PAIRS
@THREADS
def build(pair: str | None, everything: bool, pairs: Path, threads: int) -> None:
    """Train PAIR: base language model, VLM and expert, and draw its benchmark.

    Needs the extra `nano` (pip install 'hpo-bench[nano]') and npm, which bring names and drawings. Interrupted, the
    same command goes on at the stage where it was.
    """
    from hpo_bench.errors import UsageError

    if everything == (pair is not None):
        raise UsageError("name one pair, or say --all (`hpo-bench nano list` shows them)")

    from hpo_bench.nano.recipes import RECIPES, get_recipe

    recipes = RECIPES.values() if pair is None else [get_recipe(pair)]  # before PyTorch is waited for

    if platform.machine() in {"x86_64", "AMD64"}:
        for name, value in KERNELS.items():
            os.environ.setdefault(name, value)  # each is read when PyTorch first computes

    import torch

    from hpo_bench.nano.build import build as train

    torch.set_num_threads(threads)
    start = time.monotonic()
    for recipe in recipes:
        begin = time.monotonic()
        with Steps(progress(), recipe.pair) as steps:
            train(
                recipe,
                pairs / recipe.pair,
                cache=pairs / ".drawings",
                report=lambda stage, done, total, loss, name=recipe.pair, steps=steps: steps.show(
                    done, total, f"loss {loss:.3f}", title=f"{name}: {stage}"
                ),
            )
        say(f"{pairs / recipe.pair} holds the pair ({time.monotonic() - begin:.0f} s)")
    if pair is None:
        say(f"{len(RECIPES)} pairs in {(time.monotonic() - start) / 60:.1f} minutes")
