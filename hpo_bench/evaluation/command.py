"""Evaluations of kind `command`: a program of the user's that is given the merged model as a folder."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le, MinLen

from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example, Split, of_split
from hpo_bench.evaluation.options import EvaluatorKind, read_section, source
from hpo_bench.evaluation.reading.columns import ExampleOptions
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from landscapes.written import Number, Text, Texts

TAIL = 2000
LONGEST = 1e6
"""Seconds; more than a week, and less than what a system's clock refuses."""
KILL_WITH_PARENT = Path(__file__).with_name("kill_with_parent.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions(ExampleOptions):
    """What an evaluation of kind `command` may say.

    Attributes:
        command: The program and its arguments.
        parameters: Handed on to it.
        seconds: How long it may take.
        scratch: A folder with room for a model, from the pair's; by default the system's for temporary files.
    """

    command: Annotated[Texts, MinLen(1)]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seconds: Annotated[Number, Ge(0.1), Le(LONGEST)] = 3600.0
    scratch: Text | None = None


class CommandEvaluator:
    """Saves the model and runs a program on it.

    The program is called with two more arguments: the folder of the merged model, as `from_pretrained` reads it, and a
    JSON file with `merge` (the method and its hyperparameters, `{"method": "ta", "vl_weight": 0.5, "exp_weight": 0.8}`,
    or null where they are not known), `parameters` (from the configuration), `split` and `ids` of the examples to
    answer. The last line that it prints is JSON: `{"scores": {id: score}}`, and perhaps `responses` by id and
    `dollars`. It ends with its worker, however that ends.

    Args:
        words: The program and its arguments.
        folder: Where it runs.
        processor: Saved beside the model.
        examples: The whole benchmark, both splits.
        parameters: Handed to the program.
        seconds: How long it may take.
        scratch: Where models are saved; by default the system's folder for temporary files.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        processor: Any,
        examples: Sequence[Example],
        parameters: Mapping[str, Any],
        seconds: float,
        scratch: Path | None,
    ) -> None:
        self._words, self._folder, self._processor = list(words), folder, processor
        self._examples, self._parameters = tuple(examples), dict(parameters)
        self._seconds, self._scratch = seconds, scratch
        self._merge: Mapping[str, Any] | None = None

    def inform(self, setting: MergeSetting) -> None:
        """Keep what was merged, for the program."""
        self._merge = {"method": setting.method, **setting.parameters}

    def examples(self, split: Split) -> Sequence[Example]:
        """The examples on one side of the split."""
        return of_split(self._examples, split)

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Save, run, and read what it prints.

        Raises:
            EvaluationError: If it fails, takes too long, or prints no scores.
        """
        place = Path(tempfile.mkdtemp(prefix="hpo-bench-", dir=self._scratch))
        try:
            _save(model, place / "model")
            if self._processor is not None:
                self._processor.save_pretrained(place / "model")
            splits = sorted({example.split for example in examples})
            asked = {
                "merge": self._merge,
                "parameters": self._parameters,
                "split": splits,
                "ids": [example.id for example in examples],
            }
            (place / "ask.json").write_text(json.dumps(asked), encoding="utf-8")
            printed = self._run(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        scores, responses, dollars = _read(printed, examples)
        return Answers.of(examples, scores, responses, dollars=dollars)

    def _run(self, place: Path) -> str:
        words = [*self._words, str(place / "model"), str(place / "ask.json")]
        reading, writing = os.pipe()
        # Closed when the block ends, whatever ends it, and by the system should this process be killed.
        with os.fdopen(writing, "wb") as held, os.fdopen(reading, "rb") as theirs:
            process = subprocess.Popen(  # noqa: S603, the user's own program
                [sys.executable, str(KILL_WITH_PARENT), str(place), *words], cwd=self._folder, stdin=theirs,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                start_new_session=True,
            )  # fmt: skip
            try:
                printed, complained = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired as error:
                held.close()
                process.communicate()
                raise EvaluationError(f"{words[0]!r} took longer than {self._seconds:g} s", kind="timeout") from error
        if process.returncode:
            raise EvaluationError(
                f"{words[0]!r} ended with exit code {process.returncode}: {complained.strip()[-TAIL:] or 'no message'}"
            )
        return printed


@EvaluatorKind
def open_kind(pair: Pair, options: Mapping[str, Any]) -> Callable[[LoadedPair], CommandEvaluator]:
    """Read `CommandOptions`; what is returned opens the evaluator of kind `command`.

    Raises:
        UsageError: If an option is missing, unknown or makes no sense.
    """
    where = source(pair)
    given = read_section(pair, options, CommandOptions)
    program = _program(given.command[0], pair.folder, where)
    # Absolute, as the program runs in the pair's folder, and not where the user stands.
    scratch = None if given.scratch is None else (pair.folder / Path(given.scratch).expanduser()).absolute()
    if scratch is not None and not scratch.is_dir():
        raise UsageError(f"{where}: scratch is {given.scratch!r}, which is no folder in {pair.folder}")
    return lambda loaded: CommandEvaluator(
        [program, *given.command[1:]],
        folder=pair.folder,
        processor=loaded.processor,
        examples=read_own(pair).examples,
        parameters=given.parameters,
        seconds=given.seconds,
        scratch=scratch,
    )


def _save(model: Any, folder: Path) -> None:
    """Save a model with its own generation defaults.

    Those of many published models name a temperature and sample nothing, which transformers reads, and refuses to save.
    """
    if (own := getattr(model, "generation_config", None)) is None:
        model.save_pretrained(folder)
        return
    model.generation_config = type(own)()
    try:
        model.save_pretrained(folder)
    finally:
        model.generation_config = own
    own.to_json_file(folder / "generation_config.json")


def _program(word: str, folder: Path, where: str) -> str:
    """What runs, wherever that is done: one of the system's by its name, or a file of the pair's folder.

    Raises:
        UsageError: If it is neither, or a file that may not be executed.
    """
    if not os.path.dirname(word) and shutil.which(word) is not None:
        return word
    file = (folder / Path(word).expanduser()).absolute()
    if not file.is_file():
        raise UsageError(f"{where}: command begins with {word!r}, which is no program here")
    if not os.access(file, os.X_OK):
        raise UsageError(
            f"{where}: command begins with {word!r}, which may not be executed: make it so (chmod +x), or put before "
            "it what runs it, such as bash"
        )
    return str(file)


def _read(printed: str, examples: Sequence[Example]) -> tuple[np.ndarray, tuple[str, ...], float]:
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
    try:
        found = json.loads(last)
        scores = np.array([float(found["scores"][example.id]) for example in examples])
        responses = tuple(str(found["responses"][e.id]) for e in examples) if found.get("responses") else ()
        return scores, responses, float(found.get("dollars") or 0.0)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise EvaluationError(
            f"the program's last line must be JSON with a score for each example, not {last[-200:]!r} "
            f"({type(error).__name__}: {error})",
            kind="nonsense",
        ) from error
