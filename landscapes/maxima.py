"""How many local maxima of a landscape survive the noise of its examples.

A maximum of recorded scores may be luck: with a few hundred examples neighbouring settings differ by chance, and a grid
of 225 has dozens of points above all their neighbours. A maximum counts here only if it is higher than the ground all
around it, beyond doubt, wherever a path to higher ground would lead.

Precisely. Settings are neighbours if they are at most one level apart along every axis (so that a ridge along a
diagonal is not cut into peaks). For two settings i, j with mean scores f and per-example differences d_ij, let
T_ij = (f_i - f_j) / se(d_ij). The examples are resampled with replacement, the same for all settings; c is the 95%
quantile over resamples of the largest |T*_ij| over all pairs, centred at what was observed. So with 95% confidence
f_i > f_j for *all* pairs with T_ij > c at once (Westfall and Young 1993, the step of max-T), also for pairs that were
chosen after looking. From a local maximum m one may walk over neighbouring settings that are not surely lower than m.
If that walk meets a higher score, m is no maximum of its own; if it does not, every path to higher ground falls surely
below m, and m survives. The highest score always survives, unless nothing is surely lower than it: then nothing is
known to be a maximum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landscapes.outcomes import Outcomes
from landscapes.recording import Recorded
from surrogates.scale import Scale

Array = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 1000
ROUNDING = 1e-12
"""Variances of differences below this share of those of the two scores are rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Maxima:
    """Local maxima of recorded scores.

    Attributes:
        where: What was looked at, in words: "dense 15 x 15, test".
        recorded: How many settings are higher than all their neighbours (a plateau of equals counts once).
        X: Settings of those that survive the noise, of shape (k, d), highest first.
        scores: Their scores, of shape (k,).
    """

    where: str
    recorded: int
    X: Array
    scores: Array

    @property
    def surviving(self) -> int:
        """How many survive the noise."""
        return len(self.scores)

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {"where": self.where, "recorded": self.recorded, "X": self.X.tolist(), "scores": self.scores.tolist()}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(values["where"], values["recorded"], np.array(values["X"]), np.array(values["scores"]))


def find(landscape: Recorded) -> Maxima | None:
    """Local maxima of the finest real recording of a landscape: the dense grid, else the study's, on the test split.

    Returns:
        None where the settings are no full grid, or nobody recorded the outcome of each example.

    Raises:
        LandscapeError: If what was recorded cannot be read.
    """
    dense = landscape.dense
    if dense is not None and (answers := dense.outcomes()) is not None:
        return of(answers, "dense")
    # Most examples, least noise.
    for split in ("test", landscape.grid.split):
        try:
            answers = landscape.on(split).outcomes
        except ValueError:  # not recorded, or flat
            continue
        if answers is not None:
            return of(answers, "grid")
    return None


def of(answers: Outcomes, kind: str = "grid") -> Maxima | None:
    """Local maxima of the scores that per-example outcomes add up to.

    Args:
        answers: Every example at every setting of a full grid.
        kind: What to call the grid.

    Returns:
        None if the settings are no full grid, or an example was not evaluated everywhere.
    """
    levels, place = zip(*(np.unique(column, return_inverse=True) for column in answers.X.T), strict=True)
    shape = tuple(len(values) for values in levels)
    if np.prod(shape) != len(answers.X) or np.isnan(answers.correct).any():
        return None
    index = np.stack(place, axis=1)
    near = np.abs(index[:, None] - index[None]).max(axis=2) == 1
    scores = answers.correct.mean(axis=1)
    lower = surely_lower(answers.correct)
    peaks = _peaks(scores, near)
    kept = [m for m in peaks if lower[m].any() and not _meets_higher(m, scores, near, lower[m])]
    kept.sort(key=lambda m: -scores[m])
    where = f"{kind} {' x '.join(map(str, shape))}, {answers.split}"
    return Maxima(where, len(peaks), answers.X[kept], scores[kept])


def surely_lower(correct: Array, *, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.bool_]:
    """Which settings are lower than which, with 95% confidence for all pairs at once.

    Args:
        correct: Scores of shape (settings, examples).
        resamples: Bootstrap samples of the examples.
        seed: Of the resampling; fixed, because a count is a property of the recording.

    Returns:
        A matrix of shape (settings, settings): [i, j] says that j is surely lower than i.
    """
    n, m = correct.shape
    if m < 2:  # which tells nothing of its error
        return np.zeros((n, n), dtype=bool)
    correct = Scale.of(correct).to_standard(correct)  # whose squares neither over- nor underflow
    scores = correct.mean(axis=1)
    covariance = np.cov(correct) / m
    spread = np.diag(covariance)
    both = spread[:, None] + spread[None]
    variance = both - 2 * covariance
    # Of two settings that answer alike rounding may leave a tiny variance, of either sign.
    error = np.sqrt(np.where(variance > ROUNDING * both, variance, np.inf))
    higher = scores[:, None] - scores[None]
    # All right against all wrong: a difference that every example shares has no error, and is beyond doubt.
    shared = np.isinf(error) & (higher > ROUNDING**0.5)
    drawn = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=resamples) / m
    moved = (drawn @ correct.T - scores).T
    most = np.zeros(resamples)
    for i in range(n - 1):  # Each with those behind it, so that what is at work fits into the processor's cache.
        apart = moved[i + 1 :] - moved[i]
        np.abs(apart, out=apart)
        apart /= error[i, i + 1 :, None]
        np.maximum(most, apart.max(axis=0), out=most)
    return (higher / error > np.quantile(most, CONFIDENCE)) | shared


def _peaks(scores: Array, near: NDArray[np.bool_]) -> list[int]:
    """Settings that are not below any neighbour and above some, the first of each plateau of equals."""
    found: list[int] = []
    seen: set[int] = set()
    for start in np.argsort(-scores, kind="stable"):
        if int(start) in seen:
            continue
        level, around = _walk(int(start), near, scores == scores[start])
        seen |= level
        if all(scores[v] < scores[start] for v in around):
            found.append(int(start))
    return found


def _meets_higher(peak: int, scores: Array, near: NDArray[np.bool_], lower: NDArray[np.bool_]) -> bool:
    reached, _ = _walk(peak, near, ~lower)
    return any(scores[v] > scores[peak] for v in reached)


def _walk(start: int, near: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> tuple[set[int], set[int]]:
    """All that is reached from a setting over allowed neighbours, and the forbidden settings around it."""
    reached, edge, todo = {start}, set(), [start]
    while todo:
        for v in np.flatnonzero(near[todo.pop()]):
            if int(v) in reached or int(v) in edge:
                continue
            if allowed[v]:
                reached.add(int(v))
                todo.append(int(v))
            else:
                edge.add(int(v))
    return reached, edge
