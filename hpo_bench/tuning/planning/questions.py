"""A handful of questions that is put to what there is without tuning before anything is paid for."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from hpo_bench.display.table import Row, TextTable
from hpo_bench.display.words import expense
from hpo_bench.errors import TuningError, UsageError
from hpo_bench.evaluation.preflight import Preflight
from hpo_bench.files import write
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.tuning.closing import REFERENCES
from hpo_bench.tuning.config import StudyConfig
from hpo_bench.tuning.trial import Failure, Job, Run
from landscapes.errors import UnreadableError
from landscapes.written import read_json

FILE = "preflight.json"
OLD_FILE = "rehearsal.json"
"""Studies of hpo-bench 0.1 have it instead."""
FAR = 3.0
"""So many standard errors between a published score and ours mean that something is asked or scored otherwise."""
_SMALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
_SHOWN = 100
"""How many characters of a prompt or an answer are shown."""
_NO_MERGE_CAN = "cannot be evaluated, and so no merge can"


@dataclass(frozen=True, slots=True)
class Reference:
    """A merge that needs no tuning, on a handful of examples.

    Attributes:
        name: Such as "expert swapped in".
        preflight: What was asked and said; empty where it cannot be evaluated.
        seconds: Of the merge, and of asking each question in a batch and alone.
        flaw: Why it cannot be evaluated; empty where it can.
    """

    name: str
    preflight: Preflight
    seconds: float
    flaw: str = ""

    @property
    def score(self) -> float:
        """The mean score, in [0, 1]; NaN where there is none."""
        answers = self.preflight.answers
        return sum(answer.score for answer in answers) / len(answers) if answers else math.nan


def ask_base(
    folder: Path, pair: Pair, config: StudyConfig, run: Run, console: Console, *, begun: bool, device: str
) -> None:
    """Ask the base VLM before the first trial, or again when something has changed since.

    Args:
        folder: The study's, which keeps what came of it.
        pair: Whose VLM is asked.
        config: What the study was begun with.
        run: Does a job.
        console: Where to show it.
        begun: Whether the study has trials, which must have been asked as the next ones will be.
        device: Where the workers run, as a kind of device; another one is asked again.

    Raises:
        TuningError: If the base VLM cannot be evaluated, so that no merge can; or if the study's trials were asked in
            another way, or answered by another backend.
        KeyboardInterrupt: If an end was asked for.
    """
    key, before = _key(pair, config, device), _read(folder)
    if before.get("key") == key:
        return
    result = run(Job("the base VLM before the first trial", BASE, preflight=True))
    if isinstance(result, Failure):
        raise _no_trial(result, folder / "logs")
    preflight = result.preflight or Preflight((), "", ())
    prompts = {answer.example: answer.prompt for answer in preflight.answers}
    old = before.get("prompts", {})
    for example in sorted(prompts.keys() & old.keys()) if begun else ():
        if prompts[example] != old[example]:
            raise TuningError(
                f"{folder}: example {example!r} is now asked as {_cut(prompts[example])!r}, and was asked as "
                f"{_cut(old[example])!r} in the study's trials; put tokenizer and chat template back, or begin another "
                "study with --study"
            )
    used, now = before.get("backend", {}), preflight.backend
    if begun and (other := [name for name in now if used.get(name, now[name]) != now[name]]):
        told = ", ".join(f"{name} {used[name]} (now {now[name]})" for name in other)
        raise TuningError(
            f"{folder}: the study's trials were made with {told}, and answers differ by that as they do by merges; ask "
            "for the same again (--device, `dtype` under `merge`, `attention` and `batch_size` under `evaluation` in "
            "the pair.yaml), or begin another study with --study"
        )
    show(
        [Reference("base VLM", preflight, result.cost.seconds)],
        console,
        title="Before the first trial: the base VLM on",
    )
    content = {"key": key, "prompts": prompts, **asdict(preflight)}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    write(folder / FILE, lambda path: path.write_text(text, encoding="utf-8", errors="replace"))
    (folder / OLD_FILE).unlink(missing_ok=True)


def ask_references(
    run: Run,
    console: Console,
    *,
    published: float | None = None,
    settings: Mapping[str, MergeSetting] = REFERENCES,
) -> tuple[Reference, ...]:
    """Ask all that there is without tuning what the first of it is asked, and show what each says.

    Args:
        run: Does a job.
        console: Where to show it.
        published: The base VLM's score elsewhere, from 0 to 100; what ours is beside it is told as well.
        settings: The merges by name; the first one is the base VLM.

    Raises:
        TuningError: If the first one cannot be evaluated, so that no merge can.
    """
    found: list[Reference] = []
    ids: tuple[str, ...] = ()
    for name, setting in settings.items():
        result = run(Job(f"{name} before the first trial", setting, preflight=True, examples=ids))
        flaw = f"{result.kind}: {result.reason}" if isinstance(result, Failure) else ""
        if flaw and not found:
            raise TuningError(f"the {name} {_NO_MERGE_CAN}: {flaw}")
        said = (None if isinstance(result, Failure) else result.preflight) or Preflight((), "", ())
        ids = ids or tuple(answer.example for answer in said.answers)
        found.append(Reference(name, said, result.cost.seconds, flaw))
    show(found, console, title="Without tuning, on")
    if published is not None:
        far, told = compare_published(run, published)
        console.print(f"{'Warning: ' * far}{told}")
    return tuple(found)


def show(references: Sequence[Reference], console: Console, *, title: str) -> None:
    """Print what was asked, what each of them said, and how it scored; nothing where an evaluator does not tell."""
    asked = [one for one in references if one.preflight.answers]
    if not asked:
        return
    first = asked[0].preflight
    manner = f", asked {first.manner}" if first.manner else ""
    dollars = sum(one.preflight.dollars for one in asked)
    paid = f", for ${expense(dollars)}" if dollars else ""
    console.print(f"{title} {len(first.answers)} validation examples{manner}{paid}")
    said = [{answer.example: answer for answer in one.preflight.answers} for one in asked]
    rows = []
    for answer in first.answers:
        told = [by_id.get(answer.example) for by_id in said]
        cells = (f"{_cut(one.said)} ({one.score:g})" if one else "" for one in told)
        rows.append(Row(_cut(answer.prompt), (_cut(answer.right), *cells)))
    heads = ("prompt", "right answer", *(one.name for one in asked))
    console.print(TextTable(heads, tuple(rows), words=len(heads)).printed(wrap=True))
    for one in references:
        told = f"cannot be evaluated ({one.flaw})" if one.flaw else f"score {100 * one.score:.1f}"
        console.print(f"{one.name}: {told}, {one.seconds:.2g} s")
    for note in dict.fromkeys(note for one in asked for note in one.preflight.notes):
        console.print(f"Note: {note}.")


def check_published(published: float | None) -> None:
    """Refuse what is no score in percent.

    Raises:
        UsageError: If it is none from 0 to 100.
    """
    if published is not None and not 0 <= published <= 100:  # NaN is none either
        raise UsageError(f"--published is a score from 0 to 100, such as 37.5, not {published:g}")


def compare_published(run: Run, published: float) -> tuple[bool, str]:
    """Score the base VLM on all validation examples, and set that against what its makers or a paper report.

    Args:
        run: Does a job.
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


def _no_trial(failure: Failure, logs: Path) -> TuningError:
    """What to raise where the base VLM cannot be evaluated; everything that is known of it goes into a log."""
    log = logs / "preflight.log"
    write(log, failure.details or failure.reason)
    why = f"{failure.kind}: {failure.reason}"
    return TuningError(f"the base VLM {_NO_MERGE_CAN}: {why}; no trial was begun, and {log} has the details")


def _cut(text: str) -> str:
    """A text in one line, and where it is long without its middle."""
    line = text.replace("\n", "\\n")
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN // 2]} ... {line[-_SHOWN // 2 :]}"


def _key(pair: Pair, config: StudyConfig, device: str) -> str:
    """Of all that decides what is asked and how it is answered."""
    digest = hashlib.sha256()
    plain = {"checkpoints": dict(config.checkpoints), "evaluation": dict(config.evaluation), "device": device}
    digest.update(json.dumps(plain, sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
    for package in ("hpo-bench", "torch", "transformers"):
        digest.update(version(package).encode())
    for path in sorted({path for pattern in _SMALL for path in pair.vlm.glob(pattern)}):
        digest.update(path.name.encode("utf-8", "surrogatepass") + path.read_bytes())
    return digest.hexdigest()


def _read(folder: Path) -> Mapping[str, Any]:
    path = folder / FILE
    try:
        content = read_json(path if path.exists() else folder / OLD_FILE)
    except UnreadableError:
        return {}  # it is asked again
    prompts = content.get("prompts") if isinstance(content, dict) else None
    backend = content.get("backend", {}) if isinstance(content, dict) else None
    whole = all(
        isinstance(told, dict) and all(isinstance(one, str) for one in told.values()) for told in (prompts, backend)
    )
    return content if whole else {}
