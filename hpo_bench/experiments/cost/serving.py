"""What a trial takes by each evaluator, and whether an engine that is handed merges answers as one that loads them."""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hpo_bench.display.table import TextTable
from hpo_bench.errors import UsageError
from hpo_bench.evaluation.base import Evaluator
from hpo_bench.evaluation.examples import write_examples
from hpo_bench.evaluation.local import LocalEvaluator
from hpo_bench.evaluation.reading.benchmark import read_examples
from hpo_bench.evaluation.registry import open_evaluator
from hpo_bench.evaluation.serving.engine import VllmEngine
from hpo_bench.evaluation.serving.evaluator import VllmEvaluator
from hpo_bench.evaluation.serving.generation import ServedGeneration
from hpo_bench.experiments.cost.turns import TrialTiming, in_turns
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.setting import MergeSetting
from hpo_bench.merging.writing.export import export_merge

VLLM = "vllm"
LOCAL = "local"
GENERATE = "local, by transformers' generate"
LMMS = "lmms-eval"
COMMAND = "command, a fresh load"
ROUTES = {
    VLLM: "vLLM, handed the merge's weights in place, with the proof that it has them",
    LOCAL: "our own decoding in this process: pictures looked at once, rows leave a batch when they are over",
    GENERATE: "transformers' generate in this process, as `local` answered before, and still does where a model's "
    "decoder is handed more than embeddings and positions",
    LMMS: "the same questions as a task of lmms-eval's, by its own prompts, filters and metric on the live model",
    COMMAND: "a program that loads the merge from its folder and answers by generate",
}
BATCH, MAX_NEW_TOKENS = 16, 8
_TASK = """
task: own_questions
dataset_path: parquet
dataset_kwargs: {{data_files: {{test: {examples}}}}}
test_split: test
output_type: generate_until
doc_to_visual: !function pictures.of
doc_to_text: question
doc_to_target: answer
generation_kwargs: {{max_new_tokens: {most}}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
_PICTURES = """
from io import BytesIO

from PIL import Image


def of(doc):
    return [Image.open(BytesIO(data)).convert("RGB") for data in doc["images"]]
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """One merge, handed over and loaded from its export.

    Attributes:
        setting: The merge.
        score: Of the answers in place.
        same: How many answers are the same text.
        total: How many there were.
    """

    setting: MergeSetting
    score: float
    same: int
    total: int


class _Exports(VllmEngine):
    """vLLM on whatever folder it was last started with: it follows nobody."""

    def follow(self, model: Any) -> None:
        """Stay as it is."""


def compare(
    pair: Pair,
    merges: Sequence[MergeSetting],
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    work: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Compared]:
    """Answers of an engine that is handed merges, beside those of the same engine on their exports.

    Args:
        pair: Whose merges.
        merges: Which.
        max_new_tokens: Where answers are cut.
        work: Where exports are written, one at a time; by default the system's folder for temporary files.
        options: Further options of the evaluation.

    Raises:
        UsageError: If there is no vLLM.
        EvaluationError: If it fails, or is stale.
    """
    section = {"kind": "vllm", "max_new_tokens": max_new_tokens, **(options or {})}
    asked = replace(pair, evaluation=section)
    loaded = LoadedPair.load(asked)
    evaluator = open_evaluator(asked, loaded)
    if not isinstance(evaluator, VllmEvaluator):
        raise UsageError("the evaluation is of another kind")
    served = evaluator.served
    fresh = _Exports(
        python=served._python, options=served._options, seconds=served._seconds, environment=served._environment
    )
    generation = evaluator.generation
    reading = ServedGeneration(fresh, generation.prompts, generation._scores, max_new_tokens=max_new_tokens)
    examples, engine = evaluator.examples("validation"), Resident(loaded)
    try:
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            for number, setting in enumerate(merges):
                out = export_merge(asked, loaded, setting, Path(scratch) / f"merge-{number}", engine=engine)
                ours = evaluator.evaluate(loaded.vlm, examples)
                fresh.start(out)
                theirs = reading.evaluate(loaded.vlm, examples)
                same = sum(one == other for one, other in zip(ours.responses, theirs.responses, strict=True))
                yield Compared(setting, ours.score, same, len(examples))
    finally:
        served.end()
        fresh.end()


def measure(
    pair: Pair,
    *,
    trials: int,
    device: str | None = None,
    told: Callable[[str], None] = lambda _: None,
    left_out: Callable[[str], None] = lambda _: None,
) -> list[TrialTiming]:
    """Time trials of Task Arithmetic by all routes in turns; one whose package is not here is left out.

    Args:
        pair: Whose merges, and whose validation examples.
        trials: How many to count; one more is not counted.
        device: Where merges are made, and answered but for vLLM's.
        told: Called with what is being timed.
        left_out: Called with what is not, and why.

    Raises:
        EvaluationError: If the examples cannot be answered.
    """
    loaded = LoadedPair.load(pair, device=device)
    engine, evaluators = Resident(loaded), dict[str, Evaluator]()

    def merged(evaluator: Evaluator, setting: MergeSetting, _: Path) -> tuple[Any, Evaluator]:
        engine.merge(setting)
        return loaded.vlm, evaluator

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        for route in ROUTES:
            try:
                evaluators[route] = one = _opened(route, pair, loaded, MAX_NEW_TOKENS, scratch)
            except UsageError as error:
                left_out(f"{route} is left out: {error}")
                continue
            if isinstance(one, VllmEvaluator):
                stack.callback(one.served.end)
        routes = {route: partial(merged, one) for route, one in evaluators.items()}
        return list(in_turns(routes, ["ta"], trials=trials, scratch=scratch, told=told))


def table(timed: Sequence[TrialTiming]) -> TextTable:
    """Medians by route."""
    heads = ("evaluator", "trial, s of processor", "trial, s of wall", "of it handing over, s of wall", "other answers")
    rows = []
    for one in timed:
        loads = [each.load for each in one.seconds if each.load is not None]
        handing = f"{statistics.median(loads):.2f}" if loads else ""
        whole = (f"{one.median('trial', clock):.2f}" for clock in ("processor", "wall"))
        rows.append((one.route, *whole, handing, f"{one.unlike} of {one.answers}"))
    return TextTable.of(heads, rows)


def _opened(route: str, pair: Pair, loaded: LoadedPair, most: int, scratch: Path) -> Evaluator:
    section: dict[str, Any] = {"max_new_tokens": most}
    if route == VLLM:
        section |= {"kind": "vllm"}
    elif route == LMMS:
        write_examples(read_examples(pair.examples), scratch / "examples.parquet")
        (scratch / "task.yaml").write_text(_TASK.format(examples=scratch / "examples.parquet", most=most), "utf-8")
        (scratch / "pictures.py").write_text(_PICTURES, encoding="utf-8")
        section |= {"kind": "lmms-eval", "tasks": "own_questions", "include_path": ".", "id_field": "id"}
        section["batch_size"] = BATCH
        pair = replace(pair, folder=scratch)
    elif route == COMMAND:
        parameters = {"examples": str(pair.examples.resolve()), "max_new_tokens": most, "batch_size": BATCH}
        words = [sys.executable, "-m", "hpo_bench.experiments.cost.answer"]
        section = {"kind": "command", "command": words, "parameters": parameters}
    else:
        section |= {"kind": "local", "generate": True, "batch_size": BATCH}
    evaluator = open_evaluator(replace(pair, evaluation=section), loaded)
    if route == GENERATE and isinstance(evaluator, LocalEvaluator):
        generation: Any = evaluator._scorer
        generation.respond = generation.generated
    return evaluator
