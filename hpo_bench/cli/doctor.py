"""`hpo-bench doctor`: what there is to know of a pair before anything is spent on it."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hpo_bench.cli.options import DTYPE, JSON, TRUST_REMOTE_CODE
from hpo_bench.cli.pairs import a_pair
from hpo_bench.display.console import output, progress
from hpo_bench.display.printing import say

if TYPE_CHECKING:
    from hpo_bench.merging.pair import Pair
    from hpo_bench.tuning.planning.evaluators import EvaluatorSeconds

EXAMPLES = """\b
Examples:
  hpo-bench doctor ja-llama
  hpo-bench doctor zh-llava-mistral-7b                 a pair of the study's; fetches its models
  hpo-bench doctor --base base --vlm vlm --expert hf://owner/expert
  hpo-bench doctor my-pair.yaml --candidate-base other-base --json
  hpo-bench doctor my-pair.yaml --all                  every tensor by name
  hpo-bench doctor my-pair.yaml --time-evaluators      and seconds by each evaluator that is here
"""


@click.command(epilog=EXAMPLES)
@a_pair
@click.option("--candidate-base", "candidates", multiple=True, metavar="PLACE", help="Another base; repeatable.")
@click.option("--all", "every", is_flag=True, help="All of them; the VLM's tensors, by name, merged or kept.")
@click.option(
    "--time-evaluators", is_flag=True,
    help="Also load the models, and time each evaluator that can answer here on a handful of examples.",
)  # fmt: skip
@DTYPE
@TRUST_REMOTE_CODE
@JSON
def command(
    *,
    pair: "Pair",
    candidates: tuple[str, ...],
    every: bool,
    time_evaluators: bool,
    dtype: str | None,
    trust_remote_code: bool,
    as_json: bool,
) -> None:
    """Say what of PAIR maps to what, what differs, and whether a merge would be right.

    PAIR is the name of a pair, a YAML file, or a folder with a pair.yaml; or give --base, --vlm and --expert. No model
    is loaded, unless evaluators are to be timed: weights are read one tensor after the other. Of several candidate
    bases the one with the smallest task vectors is named. Exit code 1 if a merge would be wrong, 2 if something cannot
    be read.
    """
    from hpo_bench import api
    from hpo_bench.evaluation.registry import check_options
    from hpo_bench.merging.doctor.page import show, show_pair
    from hpo_bench.tuning.planning.evaluators import recommendation, validation_of

    check_options(pair)  # A pair whose evaluation `tune` would refuse is not well.
    console = output(width=130)
    if not as_json:
        show_pair(pair, console)  # before gigabytes are fetched
    diagnosis = api.check_pair(
        pair,
        candidates=candidates,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    timed = []
    if time_evaluators and diagnosis.fit:
        timed = _timed(diagnosis.pair, trust_remote_code=trust_remote_code)
    if as_json:
        further = {"evaluators": [asdict(one) for one in timed]} if time_evaluators else {}
        say(json.dumps({**diagnosis.as_dict(every=every), **further}, indent=1, ensure_ascii=False))
    else:
        show(diagnosis, console, every=every)
        count = validation_of(diagnosis.pair) if timed else 0
        console.print(recommendation(diagnosis.pair, timed, examples=count))
    if not diagnosis.fit:
        sys.exit(1)


def _timed(pair: "Pair", *, trust_remote_code: bool) -> "list[EvaluatorSeconds]":
    from hpo_bench.merging.devices import devices
    from hpo_bench.merging.loaded import LoadedPair
    from hpo_bench.tuning.planning.evaluators import generates, time_evaluators

    if not generates(pair):
        return []
    with progress().status(f"{pair.name}: evaluators are timed"):
        loaded = LoadedPair.load(pair, device=devices(1, None)[0], trust_remote_code=trust_remote_code)
        return time_evaluators(pair, loaded, left_out=lambda why: say(why, err=True))
