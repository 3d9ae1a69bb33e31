"""Plans that score every setting on the same examples: what tuning does, with any optimiser."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.posterior import errors_of, means
from hpo_bench.statistics.examples import error_of_difference, error_of_mean
from optimizers import registry

HIGHEST, MEAN = "highest score", "posterior mean"
"""Which setting is recommended: the luckiest, or that of the highest posterior mean, as `tune` has it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a plan would recommend after so many evaluations.

    Attributes:
        draw: Place of the draw.
        rule: How the recommendation is made.
        settings: How many settings were scored.
        examples: On how many examples the recommended one was.
        evaluations: Examples evaluated so far, of all settings.
        place: The recommended setting.
        reported: Its score on the examples that were seen.
    """

    draw: int
    rule: str
    settings: int
    examples: int
    evaluations: int
    place: int
    reported: float


@dataclass(frozen=True, slots=True)
class WholeTrials:
    """An optimiser whose every trial answers the same examples.

    Attributes:
        optimizer: Its name.
        checkpoints: After how many trials a recommendation is made.
        options: Of the optimiser.
    """

    optimizer: str
    checkpoints: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, draws: Sequence[Draw], examples: int) -> Iterator[Step]:
        """Replay, all draws in lockstep.

        Args:
            draws: Of pools of one dimension.
            examples: How many examples a trial answers, or all that a draw has if these are a few less.
        """
        counts = [min(examples, one.seen.shape[1]) for one in draws]
        for places in self.replay(draws, counts):
            if places.shape[1] in self.checkpoints:
                yield from self._recommended(draws, places, counts)

    def replay(self, draws: Sequence[Draw], counts: Sequence[int]) -> Iterator[NDArray[np.int64]]:
        """The settings that were scored after each trial, of shape (draws, trials).

        Proposals are rounded to the nearest recorded setting, which is what is scored; the optimiser is told the
        standard error of a paired difference to the nearest trial before, as in `tune`.
        """
        kind = registry.get(self.optimizer)
        budget = max(self.checkpoints)
        runs = [kind(one.pool.dim, seed=one.search_seed, budget=budget, **self.options) for one in draws]
        places: list[list[int]] = [[] for _ in draws]
        for _ in range(budget):
            for draw, run, x, taken, m in zip(draws, runs, kind.ask_many(runs), places, counts, strict=True):
                place = int(draw.pool.nearest(np.array(x)[None])[0])
                score = float(draw.totals[place, m] / m)
                own, others = draw.seen[place, :m].astype(np.float64), [draw.seen[one, :m] for one in taken]
                run.tell(x, score, standard_error=error_beside(own, others, run.history[0], x))
                taken.append(place)
            yield np.array(places)

    def _recommended(self, draws: Sequence[Draw], places: NDArray[np.int64], counts: Sequence[int]) -> Iterator[Step]:
        held = list(zip(draws, places, counts, strict=True))
        scores = np.array([draw.totals[taken, m] / m for draw, taken, m in held], dtype=np.float64)
        ranked = {HIGHEST: scores}
        if self.optimizer == "gp-bo":
            X = np.array([draw.pool.X[taken] for draw, taken, _ in held])
            ranked[MEAN] = means(X, scores, errors_of(scores, np.array(counts)[:, None]))
        trials = places.shape[1]
        for rule, value in ranked.items():
            for at, best in enumerate(value.argmax(axis=1)):
                m = counts[at]
                yield Step(at, rule, trials, m, trials * m, int(places[at, best]), float(scores[at, best]))


def error_beside(
    own: NDArray[np.float64], others: Sequence[NDArray[np.floating]], before: NDArray[np.float64], x: Any
) -> float:
    """The standard error that is told with a score, as `hpo_bench.tuning.race` has it.

    Args:
        own: Answers of a setting, of shape (m,).
        others: Those of the settings before it, of the same examples.
        before: Where these lie, of shape (n, d).
        x: Where it lies.
    """
    if not len(others):
        return error_of_mean(own)
    nearest = others[int(((before - x) ** 2).sum(axis=1).argmin())]
    return error_of_difference(own - nearest) / 2**0.5
