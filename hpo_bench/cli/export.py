"""`hpo-bench export`: the best merge of a study as a model of its own."""

from pathlib import Path

import click

from hpo_bench.cli.options import STUDIES, TRUST_REMOTE_CODE, device, out
from hpo_bench.cli.types import Whole
from hpo_bench.display.printing import say

EXAMPLES = """\b
Examples:
  hpo-bench export demo                          the recommended merge of a study
  hpo-bench export demo --trial 7 --out merged
"""


@click.command(epilog=EXAMPLES)
@click.argument("study")
@out("the model", shown="STUDY's folder/export")
@click.option("--trial", type=Whole(min=0), help="Number of a trial.  [default: the recommended one]")
@STUDIES
@click.option("--pair", metavar="PAIR", help="Where its pair is now, if it has moved.")
@device("cpu")
@TRUST_REMOTE_CODE
def command(
    *,
    study: str,
    out: Path | None,
    trial: int | None,
    studies: Path,
    pair: str | None,
    device: str | None,
    trust_remote_code: bool,
) -> None:
    """Write the merge that STUDY recommends as a Hugging Face folder with a model card.

    The folder is loaded again and asked the validation questions: its answers must be those of the trial, one by one,
    but for those that rounding to the type in which the VLM is stored accounts for.
    """
    from hpo_bench.errors import TuningError
    from hpo_bench.tuning.outcome.summary import gone_on
    from hpo_bench.tuning.study import Study

    found = Study.open(study, studies, pair=pair)
    if trial is None and (result := found.result) is not None and (more := gone_on(result, found.trials)):
        say(more)
    made = found.export(out, trial=trial, device=device or "cpu", trust_remote_code=trust_remote_code)
    say(f"{made.folder} holds trial {made.trial.number}. {made.sentence}")
    if not made.explained:
        raise TuningError(
            f"{made.total - made.same} answers differ from the recorded ones: the evaluator is not deterministic, or "
            "this machine computes otherwise than the one that tuned"
        )
