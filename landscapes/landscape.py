"""A recorded grid made continuous: an objective whose optimum is known."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscapes import cache, extremes, maxima
from landscapes import card as cards
from landscapes import grid as grids
from landscapes.card import FITTED, Card
from landscapes.errors import FlatLandscapeError, InvalidCardError, InvalidGridError
from landscapes.grid import RecordedGrid
from landscapes.maxima import Maxima
from landscapes.outcomes import FILE as OUTCOMES_FILE
from landscapes.outcomes import Outcomes, fingerprint
from landscapes.problem import Problem
from landscapes.recording import Truth, hash_beside
from landscapes.trust import Fidelity, judge, measure
from landscapes.vlm_answers import VlmAnswers
from surrogates.base import Surrogate
from surrogates.errors import SurrogateError
from surrogates.extrema import Extremum
from surrogates.rbf import RBFSurrogate
from surrogates.scale import are_equal

Array = NDArray[np.float64]


class Landscape(Problem):
    """The score of every setting in the recorded box, by a surrogate through the recorded scores.

    Scores are those of the card's tuning split, in the card's units, and to be maximised. Everything derived is
    computed when first asked for and kept.

    Args:
        card: What was recorded.
        grid: The recorded scores of one split.
        surrogate: What interpolates them; a thin-plate spline by default.
        folder: Where it was recorded, which may hold more than the grid: the per-example outcomes of the same settings
            and evaluations that are held out (`landscapes.recording`).

    Attributes:
        outcomes_hash: Of the per-example outcomes, those of the VLM as it is and all that is held out, empty where
            there is nothing of these; `content_hash` does not depend on them, while noise, fidelity and weaknesses do.

    Raises:
        InvalidCardError: If the card is of evaluations that are held out: no surrogate is fitted to them.
        InvalidGridError: If there are too few settings, or they do not determine the surrogate or span the box.
        FlatLandscapeError: If all scores are equal.
    """

    version: ClassVar[int] = 1
    """Raised when the same recording leads to other scores or regrets, so that stored runs are known as old."""

    def __init__(
        self, card: Card, grid: RecordedGrid, *, surrogate: Surrogate | None = None, folder: Path | None = None
    ) -> None:
        if card.design not in FITTED:
            raise InvalidCardError(
                f"{card.path}: design {card.design!r} is held out, and no surrogate may be fitted to it"
            )
        self.card, self.grid, self.space, self.name = card, grid, card.space, card.name
        self.folder = folder
        self.outcomes_hash = hash_beside(folder)
        self._elsewhere: dict[str, Self] = {}
        surrogate = surrogate if surrogate is not None else RBFSurrogate()
        least = surrogate.least_points(self.space.dim)
        if len(grid) < least:
            raise InvalidGridError(
                f"{grid.path} has {len(grid)} settings with split {grid.split!r}, and the surrogate needs at least "
                f"{least} in {self.space.dim} dimensions; record more"
            )
        if are_equal(grid.scores):
            raise FlatLandscapeError(
                f"{grid.path}, column 'score': all {len(grid)} scores of split {grid.split!r} are {grid.scores[0]:g}, "
                "and a flat landscape has no regret; leave it out, or record it with more examples or another range"
            )
        self._refuse_unspanned_box()
        try:
            # A copy, so that one surrogate may be handed to many landscapes.
            self.surrogate = copy.copy(surrogate).fit(self._nodes, grid.scores)
        except SurrogateError as error:
            raise InvalidGridError(f"{grid.path}: {error}") from error

    @classmethod
    def read(cls, folder: str | Path, *, surrogate: Surrogate | None = None) -> Self:
        """The landscape that a folder's `card.yaml` and `grid.parquet` describe.

        Raises:
            InvalidCardError: If the card cannot be used, or contradicts the grid.
            InvalidGridError: If the grid cannot be used.
            FlatLandscapeError: If all scores are equal.
        """
        folder = Path(folder)
        card = Card.read(folder / cards.FILE)
        grid = RecordedGrid.read(folder / grids.FILE, card.space, split=card.tuning_split)
        landscape = cls(card, grid, surrogate=surrogate, folder=folder)
        _refuse_contradiction(card, grid)
        return landscape

    def on(self, split: str) -> Self:
        """The same recording scored on another split, with the same kind of surrogate refitted to its scores.

        Asked again, the same object.

        Args:
            split: validation or test.

        Raises:
            InvalidGridError: If that split was not recorded.
            FlatLandscapeError: If all its scores are equal.
        """
        if split == self.grid.split:
            return self
        if split not in self._elsewhere:
            grid = RecordedGrid.read(self.grid.path, self.space, split=split)
            self._elsewhere[split] = type(self)(self.card, grid, surrogate=self.surrogate, folder=self.folder)
        return self._elsewhere[split]

    @cached_property
    def held_out(self) -> Truth | None:
        """Real evaluations spread over the recorded box, which no surrogate was fitted to; None if there are none."""
        return self._truth("held-out")

    @cached_property
    def dense(self) -> Truth | None:
        """Real evaluations on a fine grid beyond the recorded box; None if there are none."""
        return self._truth("dense")

    @cached_property
    def masks(self) -> Truth | None:
        """Real evaluations of a few settings with many DARE masks each; None if there are none."""
        return self._truth("masks")

    @cached_property
    def outcomes(self) -> Outcomes | None:
        """How each example was answered at each recorded setting, rows as in `grid`; None where not recorded.

        Raises:
            InvalidGridError: If the file cannot be used, or has other settings than the grid.
        """
        path = None if self.folder is None else self.folder / OUTCOMES_FILE
        return None if path is None or not path.exists() else Outcomes.matching(path, self.grid, self.space)

    @cached_property
    def vlm(self) -> float:
        """Score of the VLM as it is, before any merge, on the same examples; NaN where it was not asked.

        Raises:
            InvalidGridError: If the file cannot be used, or is of other examples.
        """
        if self.folder is None or self.outcomes is None:
            return float("nan")
        answers = VlmAnswers.matching(self.folder, self.outcomes.ids, split=self.grid.split)
        return float("nan") if answers is None else float(answers.correct.mean())

    @cached_property
    def maxima(self) -> Maxima | None:
        """Which of its local maxima survive the noise of the examples; see `landscapes.maxima.find`."""
        found = self.kept("maxima", lambda: {"maxima": None if (one := maxima.find(self)) is None else one.as_json()})
        return None if found["maxima"] is None else Maxima.of_json(found["maxima"])

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """Why the landscape is weak, in a few words each; empty if it is not. See `landscapes.trust`."""
        return judge(self.fidelity(), self.card)

    def score(self, x: ArrayLike) -> Array:
        """Scores of settings, of shape (n,), in the card's units; see `Problem`."""
        return self.surrogate.predict(self.space.to_unit(x))

    @cached_property
    def optimum(self) -> Extremum:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The certified global maximum; `x` in the parameters' own units."""
        return self._extremes["optimum"]

    @cached_property
    def minimum(self) -> Extremum:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The certified global minimum; `x` in the parameters' own units."""
        return self._extremes["minimum"]

    @cached_property
    def noise(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Standard error of one evaluation at the optimum, in score units; NaN where unknown.

        That of the nearest recorded setting, by distance in the unit cube.
        """
        optimum = self.space.to_unit(self.optimum.x[None])
        return float(self.grid.standard_errors[np.linalg.norm(self._nodes - optimum, axis=1).argmin()])

    @cached_property
    def regret_noise(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Standard error of a regret near the optimum, in score units; NaN where unknown.

        A regret is the difference of two scores on the same examples, most of which both settings answer alike, so it
        is known better than either score. Taken from the per-example differences between the best recorded setting
        and its nearest neighbours, two an axis, of which the median; where examples were not recorded, as if the two
        scores were independent.
        """
        if self.outcomes is None:
            return 2**0.5 * self.noise
        best = self.grid.best
        distance = np.linalg.norm(self._nodes - self._nodes[best], axis=1)
        nearest = np.argsort(distance, kind="stable")[1 : 1 + 2 * self.space.dim]
        scores = self.outcomes.correct[[best, *nearest]]
        differences = scores[0] - scores[1:]
        return float(np.median(differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])))

    def fidelity(self) -> Fidelity:
        """How far the surrogate can be trusted."""
        return self._fidelity

    def kept(self, what: str, compute: Callable[[], Mapping[str, Any]], *, code: str = "") -> Mapping[str, Any]:
        """What follows from a recording in a folder by a surrogate of ours, as `cache.recall` has it; else computed."""
        if self.folder is None or not type(self.surrogate).__module__.startswith("surrogates."):
            return compute()
        # Fidelity compares with other splits of the same file, which the hash of what is tuned on does not know.
        paths = [path for name in (grids.FILE, cards.FILE) if (path := self.folder / name).exists()]
        files = [] if what == "extremes" else [self.outcomes_hash, *map(fingerprint, paths)]
        return cache.recall(" ".join([what, self.content_hash, *files]), compute, code=code)

    @cached_property
    def content_hash(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """64 hexadecimal digits that change when scores or regrets may, and not with dates, notes or seconds."""
        what = {
            "version": self.version,
            "name": self.name,
            "metric": [self.card.metric, self.card.units, self.card.direction],
            "space": [[p.name, float(p.low), float(p.high), *p.kinds] for p in self.space.parameters],
            "split": self.grid.split,
            "surrogate": [type(self.surrogate).__name__, dict(self.surrogate.settings)],
        }
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        for array in (self.grid.X, self.grid.scores, self.grid.standard_errors):
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"<Landscape {self.name}: {len(self.grid)} settings of {', '.join(self.space.names)}>"

    @cached_property
    def _nodes(self) -> Array:
        """Recorded settings in the unit cube, of shape (n, d)."""
        return self.space.to_unit(self.grid.X)

    @cached_property
    def _fidelity(self) -> Fidelity:
        return Fidelity(**self.kept("fidelity", lambda: asdict(measure(self))))

    @cached_property
    def _extremes(self) -> dict[str, Extremum]:
        found = self.kept("extremes", lambda: extremes.search(self.space, self.surrogate, nodes=self._nodes))
        return {end: Extremum(**{**one, "x": np.array(one["x"])}) for end, one in found.items()}

    def _truth(self, design: str) -> Truth | None:
        return None if self.folder is None else Truth.read(self.folder, self.card, design=design)

    def _scores_in_cube(self, u: Array) -> Array:
        return self.surrogate.predict(self.space.snapped(u))

    def _refuse_unspanned_box(self) -> None:
        # Beyond the outermost settings a surrogate extrapolates, and an optimiser would be sent after an artefact.
        for axis, parameter in enumerate(self.space.parameters):
            if self._nodes[:, axis].min() > 1e-9 or self._nodes[:, axis].max() < 1 - 1e-9:
                low, high = self.grid.X[:, axis].min(), self.grid.X[:, axis].max()
                raise InvalidGridError(
                    f"{self.grid.path}, column {parameter.name!r}: recorded from {low:g} to {high:g}, but the card's "
                    f"box is [{parameter.low:g}, {parameter.high:g}]; set them to what was recorded"
                )


def _refuse_contradiction(card: Card, grid: RecordedGrid) -> None:
    """Refuse a card that says otherwise than its grid which values were recorded, or on how many examples."""
    for parameter, column in zip(card.parameters, grid.X.T, strict=True):
        said, found = parameter.levels, np.unique(column)
        if said and not (len(said) == len(found) and np.allclose(said, found)):
            raise InvalidCardError(
                f"{card.path}: levels of {parameter.name} are {_listed(said)}, and {grid.path} has {_listed(found)}; "
                "write those, or leave levels out"
            )
    most = int(grid.n_examples.max())
    if (count := sum(card.n_examples[grid.split].values())) != most:
        raise InvalidCardError(
            f"{card.path}: n_examples.{grid.split} are {count:,}, and scores in {grid.path} are of {most:,}; count "
            "them again"
        )


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
