"""`hpo-bench doctor`: what there is to know of a pair before anything is spent on it."""

import json
import sys

import click

from hpo_bench.cli.options import DTYPE, JSON, TRUST_REMOTE_CODE
from hpo_bench.cli.pairs import GivenPair, a_pair
from hpo_bench.display.console import output
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench doctor ja-llama
  hpo-bench doctor zh-llava-mistral-7b                 a pair of the study's; fetches its models
  hpo-bench doctor --base base --vlm vlm --expert hf://owner/expert
  hpo-bench doctor my-pair.yaml --candidate-base other-base --json
  hpo-bench doctor my-pair.yaml --all                  every tensor by name
"""


@click.command(epilog=EXAMPLES)
@a_pair
@click.option("--candidate-base", "candidates", multiple=True, metavar="PLACE", help="Another base; repeatable.")
@click.option("--all", "every", is_flag=True, help="All of them; the VLM's tensors, by name, merged or kept.")
@DTYPE
@TRUST_REMOTE_CODE
@JSON
def command(
    *,
    given: GivenPair,
    candidates: tuple[str, ...],
    every: bool,
    dtype: str | None,
    trust_remote_code: bool,
    as_json: bool,
) -> None:
    """Say what of PAIR maps to what, what differs, and whether a merge would be right.

    PAIR is the name of a pair, a YAML file, or a folder with a pair.yaml; or give --base, --vlm and --expert. No model
    is loaded: weights are read one tensor after the other. Of several candidate bases the one with the smallest task
    vectors is named. Exit code 1 if a merge would be wrong, 2 if something cannot be read.
    """
    from hpo_bench import api
    from hpo_bench.evaluation.registry import check_options
    from hpo_bench.merging.doctor.page import show
    from hpo_bench.tuning.planning.evaluators import recommendation

    pair = given.find()
    check_options(pair)  # A pair whose evaluation `tune` would refuse is not well.
    diagnosis = api.check_pair(
        pair,
        candidates=candidates,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    if as_json:
        say(json.dumps(diagnosis.as_dict(every=every), indent=1, ensure_ascii=False))
    else:
        # A pipe has no width of its own, and the tables need about this much.
        console = output(width=130)
        show(diagnosis, console, every=every)
        console.print(recommendation(diagnosis.pair, [], examples=0), highlight=False, soft_wrap=True)
    if not diagnosis.fit:
        sys.exit(1)
