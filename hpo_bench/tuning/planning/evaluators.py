"""Which evaluator to take: what there is for a pair's own examples, and what each takes of a timed handful."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpo_bench.display.words import first_line
from hpo_bench.errors import HpoBenchError, UsageError
from hpo_bench.evaluation.examples import of_split
from hpo_bench.evaluation.preflight import handful
from hpo_bench.evaluation.registry import DEFAULT, VLLM, open_evaluator, read_own
from hpo_bench.evaluation.serving.process import find_python
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair

TIMED = 16
"""So many examples are answered to time an evaluator."""
_OF_ONE = {
    DEFAULT: ("generate", "batch_size", "attention"),
    VLLM: ("python", "dtype", "tensor_parallel", "gpu_memory", "max_model_len", "eager", "batch_invariant", "engine"),
}
"""Options that the other one does not have."""


@dataclass(frozen=True, slots=True)
class EvaluatorSeconds:
    """What an evaluator takes.

    Attributes:
        kind: Which.
        per_example: Seconds, once it is open and warm.
        opening: Seconds until it could be asked.
    """

    kind: str
    per_example: float
    opening: float


def generates(pair: Pair) -> bool:
    """Whether a pair's own examples are answered by decoding, so that there is a choice."""
    own = pair.evaluation
    kind, metric = own.get("kind", DEFAULT), own.get("metric", "exact_match")
    return kind == VLLM or (kind == DEFAULT and bool(own.get("generate", metric != "exact_match")))


def time_evaluators(
    pair: Pair, loaded: LoadedPair, *, left_out: Callable[[str], None] = lambda _: None
) -> list[EvaluatorSeconds]:
    """Time a handful of validation examples by each evaluator that can answer them; the fastest first.

    Args:
        pair: Whose evaluation generates answers.
        loaded: The same in memory, merged in any way.
        left_out: Told which evaluator cannot answer here, and why.

    Raises:
        HpoBenchError: If the evaluator that the pair asks for fails; another one that does is left out.
    """
    own = pair.evaluation.get("kind", DEFAULT)
    found = []
    for kind in (own, *(kind for kind in _OF_ONE if kind != own)):
        try:
            found.append(_timed(replace(pair, evaluation=_for(kind, pair.evaluation)), loaded, kind))
        except HpoBenchError as error:
            if kind == own:
                raise
            left_out(f"evaluator {kind} is not timed: {first_line(error)}")
    return sorted(found, key=lambda one: one.per_example)


def validation_of(pair: Pair) -> int:
    """How many of a pair's own examples are on the validation side."""
    return len(of_split(read_own(pair).examples, "validation"))


def recommendation(pair: Pair, timed: list[EvaluatorSeconds], *, examples: int) -> str:
    """A sentence on which evaluator to take.

    Args:
        pair: Whose.
        timed: What `time_evaluators` found; empty where nothing was timed.
        examples: How many an evaluation answers.
    """
    own = pair.evaluation.get("kind", DEFAULT)
    if not generates(pair):
        return (
            "evaluator: local, which tells exact matches by one pass without decoding"
            if own == DEFAULT
            else f"evaluator: {own}, which asks in a way of its own"
        )
    if not timed:
        there = "" if has_vllm(pair) else " (not installed here)"
        how = "`hpo-bench doctor --time-evaluators` and `hpo-bench plan` time them on a handful of examples"
        return f"evaluator: answers are decoded, by local or by vllm{there}; {how}"
    told = ", ".join(f"{one.kind} {one.per_example * examples:.2g} s (opening {one.opening:.0f} s)" for one in timed)
    best = timed[0].kind
    take = f"`kind: {best}` is the fastest" if len(timed) > 1 else "no other one can answer here"
    return f"evaluator: {examples} examples take {told}, timed on {TIMED} at most; {take}"


def has_vllm(pair: Pair) -> bool:
    """Whether a Python with vLLM is known for a pair."""
    named = pair.evaluation.get("python")
    try:
        find_python(named if isinstance(named, str) else None, pair.folder)
    except UsageError:
        return False
    return True


def _for(kind: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an evaluation for another evaluator."""
    foreign = [option for other, options in _OF_ONE.items() if other != kind for option in options]
    kept = {key: value for key, value in own.items() if key not in foreign}
    further = {"generate": True} if kind == DEFAULT and own.get("metric", "exact_match") == "exact_match" else {}
    return {**kept, **further, "kind": kind}


def _timed(pair: Pair, loaded: LoadedPair, kind: str) -> EvaluatorSeconds:
    begin = time.perf_counter()
    evaluator = open_evaluator(pair, loaded)
    opening = time.perf_counter() - begin
    some = handful(evaluator.examples("validation"), TIMED)
    try:
        evaluator.evaluate(loaded.vlm, some)  # looks at pictures
        begin = time.perf_counter()
        evaluator.evaluate(loaded.vlm, some)
        taken = time.perf_counter() - begin
    finally:
        if served := getattr(evaluator, "served", None):
            served.end()
    return EvaluatorSeconds(kind, taken / len(some), opening)
