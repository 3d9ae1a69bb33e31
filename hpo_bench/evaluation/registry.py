"""Evaluators by kind, as the `evaluation:` section of a pair.yaml asks for them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from typing import Any, cast

from torch import OutOfMemoryError

from hpo_bench.errors import HpoBenchError, UsageError
from hpo_bench.evaluation.base import Evaluator, lacks
from hpo_bench.evaluation.examples import Example
from hpo_bench.evaluation.metrics import check_answers
from hpo_bench.evaluation.options import EvaluatorKind, source
from hpo_bench.evaluation.reading.benchmark import ExampleSet, read_table
from hpo_bench.evaluation.reading.columns import OPTIONS, Columns
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from hpo_bench.merging.processor import disagreements
from optimizers.errors import is_ours, traced
from optimizers.plugins import Registry
from surrogates.spelling import offer

LMMS, VLLM = "lmms-eval", "vllm"
DEFAULT = "local"
Opener = Callable[[Pair, LoadedPair, Mapping[str, Any]], Evaluator]
"""Opens an evaluator of a kind, given the pair and the options that its section has besides `kind`."""


def _check(candidate: Any, address: str) -> Opener:
    if not callable(candidate):
        raise UsageError(f"{address} is no function of a pair, the same in memory, and options")
    try:
        arguments = signature(candidate)
    except ValueError:  # of compiled code, which tells nothing of them
        return cast(Opener, candidate)
    try:
        arguments.bind(None, None, None)
    except TypeError as error:
        cure = "name a function that opens one" if isinstance(candidate, type) else "let it take all three"
        raise UsageError(
            f"{address} cannot be called with a pair, the same in memory, and options ({error}): {cure}, as "
            "`def open_kind(pair, loaded, options)` does"
        ) from error
    return cast(Opener, candidate)


# Addresses: whoever scores exact matches need not wait for what a judge imports.
EVALUATORS = Registry[Opener](
    what="evaluation",
    group="hpo_bench.evaluators",
    built_in={
        "local": "hpo_bench.evaluation.local:open_kind",
        VLLM: "hpo_bench.evaluation.serving.evaluator:open_kind",
        LMMS: "hpo_bench.evaluation.lmms.evaluator:open_kind",
        "python": "hpo_bench.evaluation.python_function:open_kind",
        "command": "hpo_bench.evaluation.command:open_kind",
    },
    wrong=UsageError,
    check=_check,
)
"""A package offers one under the entry point group `hpo_bench.evaluators`; a pair.yaml names it, or "module:function",
as its `kind`, of a module that lies beside it, where the user stands, or is installed.
`hpo_bench.testing.check_evaluator` checks what it opens."""


def open_evaluator(pair: Pair, loaded: LoadedPair) -> Evaluator:
    """The evaluator that a pair asks for; without a word, exact match of the whole answer on the pair's examples.

    Args:
        pair: Its `evaluation` section has the key `kind` and the options of that kind.
        loaded: The pair in memory, for its processor.

    Raises:
        UsageError: If the kind is unknown, an option is unknown or makes no sense, or the VLM's processor does not go
            with its configuration.
        EvaluationError: If what the kind needs (a judge, a script) is not there.
    """
    if apart := disagreements(loaded.processor, getattr(loaded.vlm, "config", None)):
        raise UsageError(f"{pair.vlm}: {apart[0]}, so that not every picture can be shown; fetch both anew")
    kind = _kind(pair)
    opener = EVALUATORS.get(kind, beside=pair.folder)
    try:
        opened = opener(pair, loaded, _options(pair))
    except (HpoBenchError, MemoryError, OutOfMemoryError):
        raise
    except Exception as error:
        if is_ours(opener):
            raise
        raise UsageError(f"{source(pair)}: {kind} raised {traced(error, opener)}; mend it") from error
    if lacking := lacks(opened):
        raise UsageError(f"{source(pair)}: {kind} {lacking}; let it return an evaluator")
    return opened


def check_options(pair: Pair) -> None:
    """Refuse options of an evaluation that make no sense, before a model is loaded.

    A kind that is a plain function, and no `EvaluatorKind`, reads its options with the models there.

    Raises:
        UsageError: If the kind is unknown, or an option is unknown or makes no sense.
    """
    opener = EVALUATORS.get(_kind(pair), beside=pair.folder)
    if isinstance(opener, EvaluatorKind):
        opener.read(pair, _options(pair))


def read_benchmark(pair: Pair) -> tuple[Example, ...] | None:
    """The examples that merges of a pair will be asked about, read and verified before a model is loaded.

    Returns:
        Both splits; None where the evaluator has questions of its own.

    Raises:
        UsageError: If the kind or an option is unknown, or the examples are missing or cannot be used, or the metric
            could find no response right.
    """
    check_options(pair)
    kind = _kind(pair)
    if kind == LMMS or (kind not in EVALUATORS.built_in and not pair.examples.exists()):
        return None
    return read_own(pair).examples


def read_own(pair: Pair) -> ExampleSet:
    """The examples that a pair names, and how they were understood.

    Raises:
        UsageError: As `read_benchmark`.
    """
    found = read_table(pair.examples, Columns.of(pair.evaluation, source(pair)))
    if _kind(pair) in (DEFAULT, VLLM):
        answers = ((one.id, answer) for one in found.examples for answer in one.answers)
        check_answers(str(pair.evaluation.get("metric")), answers, str(pair.examples))
    return found


def may_charge(evaluation: Mapping[str, Any]) -> bool:
    """Whether answers may cost money beside the device's: a judge's, or what an evaluator of one's own tells of.

    Args:
        evaluation: The section of a pair.
    """
    return "judge" in evaluation or evaluation.get("kind", DEFAULT) not in (DEFAULT, VLLM, LMMS)


def with_columns(pair: Pair, options: dict[str, Any]) -> Pair:
    """The pair with columns of its examples named otherwise than its file names them.

    Args:
        pair: As its file says.
        options: Those of a command, or of `tune`: what names columns is taken out of them, and in place of what the
            file says; all else stays.

    Raises:
        UsageError: If columns are named and its evaluation has questions of its own.
    """
    columns = Columns.named(**{name: options.pop(name) for name in OPTIONS if name in options})
    if not columns.typed:
        return pair
    if _kind(pair) == LMMS:
        raise UsageError(
            f"{pair.name}: its evaluation is {LMMS}, whose tasks have questions of their own; leave out "
            f"{columns.typed[0]}"
        )
    return replace(pair, evaluation={**pair.evaluation, **columns.section}, typed=columns.typed)


def as_begun(pair: Pair, evaluation: Mapping[str, Any]) -> Pair:
    """The pair with its examples' columns as they were named when something was begun with it.

    Args:
        pair: As its file says now.
        evaluation: Its evaluation section of then.
    """
    now = {key: value for key, value in pair.evaluation.items() if key not in OPTIONS}
    return replace(pair, evaluation=now | {key: evaluation[key] for key in OPTIONS if key in evaluation})


def _options(pair: Pair) -> dict[str, Any]:
    return {key: value for key, value in pair.evaluation.items() if key != "kind"}


def _kind(pair: Pair) -> str:
    kind = pair.evaluation.get("kind", DEFAULT)
    if not isinstance(kind, str) or not (":" in kind or kind in EVALUATORS.names()):
        known = offer(kind, EVALUATORS.names()) + ", or give module:function, one of your own"
        raise UsageError(f"{pair.described_in}: no evaluation is of kind {kind!r}; {known}")
    return kind
