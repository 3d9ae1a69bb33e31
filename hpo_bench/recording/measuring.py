"""A live pair merged and asked, setting after setting."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hpo_bench.display.words import first_line
from hpo_bench.errors import EvaluationError, HpoBenchError
from hpo_bench.evaluation.base import Answers, Evaluator, Following
from hpo_bench.evaluation.examples import Example, Split
from hpo_bench.evaluation.staleness import Repetition
from hpo_bench.evaluation.trusted import answers_of
from hpo_bench.merging.engine.resident import Resident
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.setting import BASE, MergeSetting
from hpo_bench.recording.designs import Design
from hpo_bench.recording.journal import RecordedScores

Examples = Mapping[Split, Sequence[Example]]


def of_vlm(loaded: LoadedPair, evaluator: Evaluator, examples: Examples) -> RecordedScores:
    """How the VLM as it is answers, of a pair that nothing was merged of yet.

    Raises:
        EvaluationError: If it cannot be scored.
    """
    answers, seconds = _ask(loaded.vlm, evaluator, BASE, examples)
    return _recorded(answers, seconds)


def of_merges(
    loaded: LoadedPair,
    evaluator: Evaluator,
    examples: Examples,
    plan: Design,
    *,
    done: int,
    warned: Callable[[str], None],
) -> Iterator[RecordedScores]:
    """Merge and ask at the settings of a design that are left.

    Args:
        loaded: The pair; its VLM becomes one merge after the other.
        evaluator: Who asks.
        examples: What is asked, for each split.
        plan: The design.
        done: How many of its settings are left out, which are the first.
        warned: Told where answers of different merges are suspiciously alike.

    Raises:
        EvaluationError: If a merged model cannot be scored.
    """
    engine, repetition = None, Repetition()
    for point in plan.points[done:]:
        engine = engine or Resident(loaded, mode="mergekit", masks="mergekit")
        if engine.mask_seed != point.mask_seed:
            engine.reseed(point.mask_seed)
        begin = time.perf_counter()
        engine.merge(point.setting)
        merge_seconds = time.perf_counter() - begin
        answers, seconds = _ask(loaded.vlm, evaluator, point.setting, examples)
        for some in answers.values():
            if told := repetition.see(point.setting, some, proven=isinstance(evaluator, Following)):
                warned(told)
        mask_seed = point.mask_seed if plan.many_masks else None
        yield _recorded(answers, seconds, point.setting.parameters, merge_seconds, mask_seed)


def _recorded(
    answers: Mapping[str, Answers],
    seconds: Mapping[str, float],
    parameters: Mapping[str, float] | None = None,
    merge_seconds: float = 0.0,
    mask_seed: int | None = None,
) -> RecordedScores:
    scores = {split: some.scores.tolist() for split, some in answers.items()}
    return RecordedScores(dict(parameters or {}), merge_seconds, dict(seconds), scores, mask_seed)


def _ask(
    model: Any, evaluator: Evaluator, setting: MergeSetting, examples: Examples
) -> tuple[dict[str, Answers], dict[str, float]]:
    """Answers of a model that is a merge by a setting, and the seconds that they took, for each split."""
    answers: dict[str, Answers] = {}
    seconds: dict[str, float] = {}
    for split, some in examples.items():
        begin = time.perf_counter()
        answers[split] = _score(model, evaluator, setting, some)
        seconds[split] = time.perf_counter() - begin
    return answers, seconds


def _score(model: Any, evaluator: Evaluator, setting: MergeSetting, examples: Sequence[Example]) -> Answers:
    try:
        return answers_of(model, evaluator, examples, merge=setting)
    except HpoBenchError:
        raise
    except Exception as error:  # whatever a user's evaluator may raise
        values = ", ".join(f"{name} {value:g}" for name, value in setting.parameters.items())
        where = "with the VLM as it is" if setting is BASE else f"at {values}"
        raise EvaluationError(f"{where} the evaluator raised {type(error).__name__}: {first_line(error)}") from error
