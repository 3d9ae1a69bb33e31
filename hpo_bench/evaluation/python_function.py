"""Evaluations of kind `python`: a function of the user's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo_bench.display.words import first_line
from hpo_bench.errors import EvaluationError, UsageError
from hpo_bench.evaluation.base import Answers
from hpo_bench.evaluation.examples import Example, Split, of_split
from hpo_bench.evaluation.options import EvaluatorKind, read_section, source
from hpo_bench.evaluation.reading.columns import ExampleOptions
from hpo_bench.evaluation.registry import read_own
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.pair import Pair
from landscapes.written import Text, shown
from optimizers.plugins import AddressError, imported


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions(ExampleOptions):
    """What an evaluation of kind `python` may say.

    Attributes:
        function: As module:name.
    """

    function: Text


class PythonFunction:
    """Scores the live model by a function.

    Args:
        function: Called with the model, its processor and a list of examples; returns a score from 0 to 1 for each, or
            a mapping with `scores` and perhaps `responses` and `dollars`.
        processor: Handed to it.
        examples: The whole benchmark, both splits.
    """

    def __init__(self, function: Callable[..., Any], processor: Any, examples: Sequence[Example]) -> None:
        self._function, self._processor, self._examples = function, processor, tuple(examples)

    def examples(self, split: Split) -> Sequence[Example]:
        """The examples on one side of the split."""
        return of_split(self._examples, split)

    def evaluate(self, model: Any, examples: Sequence[Example]) -> Answers:
        """Call the function.

        Raises:
            EvaluationError: If what it returns are no scores.
        """
        returned = self._function(model, self._processor, list(examples))
        found = returned if isinstance(returned, Mapping) else {"scores": returned}
        try:
            if found["scores"] is None:  # which an array holds as NaN
                raise TypeError("nothing was returned")
            scores = np.asarray(found["scores"], dtype=np.float64)
            responses = found.get("responses", ())
            responses = () if responses is None else responses
            if isinstance(responses, str | Mapping):  # of either, what it is made of would be taken
                raise TypeError(f"responses are a {type(responses).__name__}, and no list of texts")
            responses, dollars = tuple(map(str, responses)), float(found.get("dollars") or 0.0)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise EvaluationError(
                f"the function returned {shown(returned)}, which are no scores ({type(error).__name__}: {error})",
                kind="nonsense",
            ) from error
        return Answers.of(examples, scores, responses, dollars=dollars)


@EvaluatorKind
def open_kind(pair: Pair, options: Mapping[str, Any]) -> Callable[[LoadedPair], PythonFunction]:
    """Read `FunctionOptions`; what is returned opens the evaluator of kind `python`.

    Raises:
        UsageError: If an option makes no sense; once opened, if there is no such function, in the pair's folder first.
    """
    given = read_section(pair, options, FunctionOptions)
    return lambda loaded: PythonFunction(_find(given.function, pair), loaded.processor, read_own(pair).examples)


def _find(address: str, pair: Pair) -> Callable[..., Any]:
    try:
        function = imported(address, pair.folder)
    except (Exception, SystemExit) as error:  # whatever a user's module may raise, or call, when it is imported
        kind = "" if isinstance(error, AddressError) else f"{type(error).__name__}: "
        why = f"{kind}{first_line(error)}"
        raise UsageError(f"{source(pair)}: there is no function at {address!r}: {why}") from error
    if not callable(function):
        raise UsageError(f"{source(pair)}: {address!r} is no function")
    return function
