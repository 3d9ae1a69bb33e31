"""Whether the cross-fitted score of what tuning recommends holds, and the score on examples that were split off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from hpo_bench.benchmark.replay.pool import Pool
from hpo_bench.experiments.spending.pools import Draw
from hpo_bench.experiments.spending.posterior import errors_of, means
from hpo_bench.experiments.spending.whole import WholeTrials
from hpo_bench.statistics.cross_fitting import FOLDS, cross_fit
from hpo_bench.statistics.examples import error_of_mean

Array = NDArray[np.float64]
TRIALS = (8, 16)
CROSS_FITTED, SPLIT_OFF = "all examples, cross-fitted", "a fifth, scored on the others"
RECORDED, KEPT_BACK, SIMULATION = "recorded answers", "answers kept back", "simulation"
COLUMNS = ("source", "pair", "examples", "way", "settings", "miss", "error", "loss")
SHARE = 0.2
"""Of the examples that are tuned on where the others are split off."""


@dataclass(frozen=True, slots=True)
class Found:
    """One honest score beside the truth.

    Attributes:
        way: `CROSS_FITTED` or `SPLIT_OFF`.
        draw: Place of the draw.
        settings: How many settings were scored.
        score: The honest score of the recommended setting.
        error: Its standard error.
        place: The setting.
    """

    way: str
    draw: int
    settings: int
    score: float
    error: float
    place: int


def honest(draws: Sequence[Draw], examples: int) -> Iterator[Found]:
    """Tune with GP-BO on all examples and cross-fit, and on a fifth of them and score on the others.

    Args:
        draws: Of pools of one dimension.
        examples: All that there are.
    """
    counts = [min(examples, one.seen.shape[1]) for one in draws]
    plan = WholeTrials("gp-bo", TRIALS)
    for places in plan.replay(draws, counts):
        if (trials := places.shape[1]) in TRIALS:
            yield from _cross_fitted(draws, places, counts, trials)
    fifth = [round(SHARE * m) for m in counts]
    for places in plan.replay(draws, fifth):
        if (trials := places.shape[1]) in TRIALS:
            answers = [
                one.seen[taken, :m].astype(np.float64) for one, taken, m in zip(draws, places, fifth, strict=True)
            ]
            best = _chosen([one.pool.X[taken] for one, taken in zip(draws, places, strict=True)], answers)
            for at, (one, place, m) in enumerate(zip(draws, places[np.arange(len(draws)), best], fifth, strict=True)):
                rest = one.seen[place, m : counts[at]].astype(float)
                error = error_of_mean(rest)
                yield Found(SPLIT_OFF, at, trials, float(rest.mean()), error, int(place))


def on_pools(pools: Sequence[Pool], examples: int, *, draws: int, source: str = RECORDED) -> pd.DataFrame:
    """Honest scores on recorded answers, whose truth is the unseen half of the examples and has an error of its own.

    Args:
        pools: Of two hyperparameters.
        examples: All that there are.
        draws: Of each pool.
        source: What they are called.
    """
    drawn = [Draw.of(one, seed) for one in pools for seed in range(draws)]
    rows = []
    for found in honest(drawn, examples):
        draw = drawn[found.draw]
        unseen = draw.pool.answers[found.place, draw.unseen].astype(float)
        truth, error = float(unseen.mean()), np.hypot(found.error, error_of_mean(unseen))
        rows.append(_row(source, draw.pool.pair, examples, found, truth, error, draw.best - truth))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def in_worlds(count: int, examples: int) -> pd.DataFrame:
    """The same in simulated worlds, whose truth is known."""
    worlds = [world(seed, examples) for seed in range(count)]
    rows = []
    for found in honest([Draw.of(pool, 0) for pool, _ in worlds], examples):
        pool, truth = worlds[found.draw]
        here = float(truth[found.place])
        rows.append(_row(SIMULATION, pool.pair, examples, found, here, found.error, float(truth.max()) - here))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    source: str, pair: str, examples: int, found: Found, truth: float, error: float, loss: float
) -> tuple[object, ...]:
    points = (100 * (found.score - truth), 100 * error, 100 * loss)
    return (source, pair, examples, found.way, found.settings, *points)


def _cross_fitted(draws: Sequence[Draw], places: NDArray[np.int64], counts: list[int], trials: int) -> Iterator[Found]:
    X = [one.pool.X[taken] for one, taken in zip(draws, places, strict=True)]
    answers = [one.seen[taken, :m].astype(float) for one, taken, m in zip(draws, places, counts, strict=True)]
    folds = [np.arange(m) % FOLDS for m in counts]
    # All folds of all draws in one batch: `cross_fit` is given what came of it.
    without = [_chosen(X, [a[:, f != part] for a, f in zip(answers, folds, strict=True)]) for part in range(FOLDS)]
    final = _chosen(X, answers)
    for at, (own, fold) in enumerate(zip(answers, folds, strict=True)):
        told = iter(without)
        fit = cross_fit(own, fold, lambda _, told=told, at=at: int(next(told)[at]))
        yield Found(CROSS_FITTED, at, trials, fit.score, fit.standard_error, int(places[at, final[at]]))


def _chosen(X: Sequence[Array], answers: Sequence[Array]) -> NDArray[np.int64]:
    """The highest posterior mean of each data set, by whole errors, as `tune` has it."""
    scores = np.array([one.mean(axis=1) for one in answers], dtype=np.float64)
    counts = np.array([one.shape[1] for one in answers])[:, None]
    return means(np.array(X), scores, errors_of(scores, counts)).argmax(axis=1)


def world(seed: int, examples: int) -> tuple[Pool, Array]:
    """A pool in which the truth is known exactly.

    An answer is right where a surface, the example's own difficulty and a surface of the example's own sum to more than
    zero, all of them normal; two thirds of an answer's variance is the example's, as in sweeps of real models.

    Args:
        seed: Of the world.
        examples: How many to draw; all are seen.

    Returns:
        A pool of 15 x 15 settings with twice as many examples, and the true score of each setting, of shape (225,).
    """
    rng = np.random.default_rng([seed, examples])
    axis = np.linspace(0, 1, 15)
    X = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    distance = ((X[:, None] - X[None]) ** 2).sum(axis=2)

    def surfaces(scale: float, size: float, count: int) -> Array:
        root = np.linalg.cholesky(np.exp(-distance / (2 * scale**2)) + 1e-6 * np.eye(len(X)))
        return size * root @ rng.normal(size=(len(X), count))

    shape = surfaces(0.4, 0.4, 1)
    own = surfaces(0.3, 0.5, 2 * examples)
    right = shape + rng.normal(size=2 * examples) + own > 0
    answers = right.astype(np.float32)
    truth = ndtr(shape[:, 0] / np.sqrt(1 + 0.5**2))
    return Pool(f"world-{seed}", f"world-{seed}", "simulated", X, answers, answers[0]), truth
