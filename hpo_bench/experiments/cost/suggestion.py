"""GP-BO's time and regret beside BoTorch's own loop, in one run, from the same initial points."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from time import process_time

import numpy as np
from numpy.typing import NDArray

from hpo_bench.benchmark.result import SINCE
from hpo_bench.display.table import TextTable
from hpo_bench.peers.botorch_loop import BoTorch
from hpo_bench.workers import one_thread
from landscapes.functions import Function
from optimizers.base import Optimizer
from optimizers.gp_bo import GpBo


@dataclass(frozen=True, slots=True)
class SuggestionTiming:
    """How long suggestions took, and what came of them.

    Attributes:
        way: What was timed.
        runs: How many runs.
        together: How many of them were asked at once.
        milliseconds: Processor time a suggestion on one thread, the initial design included.
        regret: Mean over functions of the regret from the tenth evaluation, divided by Random's.
    """

    way: str
    runs: int
    together: int
    milliseconds: float
    regret: float

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def measure(functions: Sequence[Function], *, budget: int, group: int) -> list[SuggestionTiming]:
    """Times GP-BO in a group and alone, and BoTorch's loop, on functions of one dimension.

    Args:
        functions: Each is run once, by all three from the same Sobol' points, and so often in the group as fills it.
        budget: Evaluations of a run.
        group: How many runs of GP-BO are asked at once.
    """
    many = [functions[index % len(functions)] for index in range(group)]
    with one_thread():
        return [
            _timed("GP-BO, in a group", GpBo, many, together=group, budget=budget),
            _timed("GP-BO, alone", GpBo, functions, together=1, budget=budget),
            _timed("BoTorch's loop", BoTorch, functions, together=1, budget=budget),
        ]


def _timed(
    way: str, kind: type[Optimizer], functions: Sequence[Function], *, together: int, budget: int
) -> SuggestionTiming:
    seconds, ratios = 0.0, []
    for first in range(0, len(functions), together):
        chosen = functions[first : first + together]
        runs = [kind(function.dim, seed=first + place, budget=budget) for place, function in enumerate(chosen)]
        best: NDArray[np.float64] = np.full((len(runs), budget), -np.inf)
        for t in range(budget):
            begun = process_time()
            points = kind.ask_many(runs)
            seconds += process_time() - begun
            for row, (function, run, x) in enumerate(zip(chosen, runs, points, strict=True)):
                score = float(function.score(x[None])[0])
                run.tell(x, score)
                best[row, t:] = np.maximum(best[row, t:], score)
        for function, scores in zip(chosen, best, strict=True):
            regret = function.regret(scores[SINCE - 1 :]).mean() / function.random_regret(budget)[SINCE - 1 :].mean()
            ratios.append(float(regret))
    suggestions = len(functions) * budget
    return SuggestionTiming(way, len(functions), together, 1e3 * seconds / suggestions, float(np.mean(ratios)))


def table(times: Mapping[str, Sequence[SuggestionTiming]]) -> TextTable:
    """The timings as a table."""
    lines = (
        (
            suite,
            one.way,
            str(one.runs),
            str(one.together),
            f"{one.milliseconds:.2f}",
            f"{timings[-1].milliseconds / one.milliseconds:.0f} x",
            f"{one.regret:.3f}",
        )
        for suite, timings in times.items()
        for one in timings
    )
    heads = ("suite", "way", "runs", "together", "ms a suggestion", "faster than BoTorch", "regret over random")
    return TextTable.of(heads, lines, words=2)
