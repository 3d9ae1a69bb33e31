"""What there is without tuning, asked the same few questions before anything is paid for, and a published score."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console

from hpo_bench.display.table import Row, TextTable
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.preflight import Preflight
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.outcome.result import REFERENCES
from hpo_bench.tuning.planning.preflight import cut, show_notes
from hpo_bench.tuning.trial import Failure, Job, Success

FAR = 3.0
"""So many standard errors between a published score and ours mean that something is asked or scored otherwise."""
Run = Callable[[Job], Success | Failure]
"""Lets a worker do a job."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A merge that needs no tuning, on a handful of examples.

    Attributes:
        name: Such as "expert swapped in".
        preflight: What was asked and said; None where it cannot be evaluated.
        seconds: Of the merge, and of asking each question in a batch and alone.
        flaw: Why it cannot be evaluated.
    """

    name: str
    preflight: Preflight | None
    seconds: float
    flaw: str = ""

    @property
    def score(self) -> float:
        """The mean score, in [0, 1]; NaN where there is none."""
        answers = self.preflight.answers if self.preflight else ()
        return sum(answer.score for answer in answers) / len(answers) if answers else math.nan


def ask_references(run: Run, settings: Mapping[str, MergeSetting] = REFERENCES) -> tuple[Reference, ...]:
    """Ask all of them the questions that the first one is asked.

    Args:
        run: Lets a worker do a job.
        settings: The merges by name; the first one is the base VLM.

    Raises:
        TuningError: If the first one cannot be evaluated, so that no merge can.
    """
    found: list[Reference] = []
    ids: tuple[str, ...] = ()
    for name, setting in settings.items():
        result = run(Job(f"{name} before the first trial", setting, preflight=True, examples=ids))
        if isinstance(result, Success):
            found.append(Reference(name, result.preflight, result.cost.seconds))
            if result.preflight is not None:
                ids = ids or tuple(answer.example for answer in result.preflight.answers)
        elif not found:
            raise TuningError(f"the {name} cannot be evaluated, and so no merge can: {result.kind}: {result.reason}")
        else:
            found.append(Reference(name, None, result.cost.seconds, f"{result.kind}: {result.reason}"))
    return tuple(found)


def show_references(references: tuple[Reference, ...], console: Console) -> None:
    """Print what was asked, what each of them said, and how it scored."""
    asked = [one for one in references if one.preflight is not None and one.preflight.answers]
    if not asked or asked[0].preflight is None:
        return
    first = asked[0].preflight
    manner = f", asked {first.manner}" if first.manner else ""
    dollars = sum(one.preflight.dollars for one in asked if one.preflight)
    paid = f", for ${dollars:.2f}" if dollars else ""
    console.print(f"Without tuning, on {len(first.answers)} validation examples{manner}{paid}")
    said = [{answer.example: answer for answer in one.preflight.answers} for one in asked if one.preflight]
    rows = []
    for answer in first.answers:
        told = [by_id.get(answer.example) for by_id in said]
        cells = (f"{cut(one.said)} ({one.score:g})" if one else "" for one in told)
        rows.append(Row(cut(answer.prompt), (cut(answer.right), *cells)))
    heads = ("prompt", "right answer", *(one.name for one in asked))
    console.print(TextTable(heads, tuple(rows), words=len(heads)).printed(wrap=True))
    for one in references:
        told = f"score {100 * one.score:.1f}" if one.preflight else f"cannot be evaluated ({one.flaw})"
        console.print(f"{one.name}: {told}, {one.seconds:.2g} s")
    show_notes(tuple(dict.fromkeys(note for one in asked if one.preflight for note in one.preflight.notes)), console)


def check_published(published: float) -> None:
    """Refuse what is no score in percent.

    Raises:
        UsageError: If it is none from 0 to 100.
    """
    if not 0 <= published <= 100:  # NaN is none either
        raise UsageError(f"--published is a score from 0 to 100, such as 37.5, not {published:g}")


def compare_published(run: Run, published: float) -> tuple[bool, str]:
    """Score the base VLM on all validation examples, and set that against what its makers or a paper report.

    Args:
        run: Lets a worker do a job.
        published: The base VLM's score, from 0 to 100.

    Returns:
        Whether they are more than three standard errors apart, and what to tell of it. Where all answers score alike,
        the standard error is what as many examples have whose mean is the published one.

    Raises:
        TuningError: If the base VLM cannot be evaluated.
    """
    result = run(Job("the base VLM on the validation examples", BASE))
    if isinstance(result, Failure):
        raise TuningError(f"the base VLM cannot be evaluated: {result.kind}: {result.reason}")
    answers = result.answers["validation"]
    rate = published / 100
    error = answers.standard_error or math.sqrt(rate * (1 - rate) / len(answers))
    gap = abs(answers.score - rate)
    apart = gap / error if error else math.inf if gap else 0.0
    told = (
        f"the base VLM scores {100 * answers.score:.1f} (standard error {100 * error:.1f}) on {len(answers)} "
        f"validation examples; {published:g} is published, {apart:.1f} standard errors away"
    )
    if apart <= FAR:
        return False, told
    return True, (
        f"{told}: likely something is asked or scored otherwise there: see prompts and answers above, then chat "
        "template, system prompt, `max_new_tokens`, the metric, and which examples the published score is of"
    )
